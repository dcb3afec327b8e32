"""Clients that mean harm, or whose network does: the right 4xx, in bounded memory, others served."""

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator

import models
import psutil
import pytest
from servers import IRIS, Api, Mlflow, wait_until

MEBIBYTE = 1 << 20
#: What one worker may need for a moment beyond its rest: bodies are at most one MiB, as values some twenty.
ROOM = 64 * MEBIBYTE
BODY = json.dumps([IRIS]).encode()
HEAD = "POST /predict HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"


class Peak:
    """The most resident memory that the workers had since this was made, over what they had then."""

    def __init__(self, api: Api) -> None:
        self._workers = [each.pid for each in psutil.Process(api.process.pid).children()]
        for pid in self._workers:
            with open(f"/proc/{pid}/clear_refs", "w") as reset:
                reset.write("5")  # forget the peak
        self._before = self._read()

    def _read(self) -> int:
        return sum(self._peak(pid) for pid in self._workers)

    @staticmethod
    def _peak(pid: int) -> int:
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

    @property
    def growth(self) -> int:
        return self._read() - self._before


@pytest.fixture(scope="module")
def version(mlflow_server: Mlflow) -> str:
    version = mlflow_server.register("hostile", models.logistic())
    mlflow_server.promote("hostile", version)
    return version


@pytest.fixture
def api(start_api: Callable[..., Api], version: str) -> Iterator[Api]:
    """One worker, warm; whatever a test does to it, it must serve afterwards."""
    api = start_api(MODEL_NAME="hostile", API_BODY_SECONDS="2")
    api.serves(version)
    assert api.predict().ok
    yield api
    assert api.predict().json() == {"predictions": ["setosa"]}


def connect(api: Api) -> socket.socket:
    host, port = api.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def answer_to(api: Api, head: str, *pieces: bytes, half_close: bool = False) -> tuple[int, str]:
    """Status and text of the answer to a request written by hand."""
    with connect(api) as connection:
        first, *rest = pieces
        # In one piece where it is small: a server that closes on what it has not read resets the connection.
        connection.sendall(f"{HEAD}{head}\r\n".encode() + first)
        for piece in rest:
            connection.sendall(piece)
        if half_close:
            with contextlib.suppress(OSError):  # it has answered and closed
                connection.shutdown(socket.SHUT_WR)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> tuple[int, str]:
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        length = 0
        while line := stream.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, stream.read(length).decode()


CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
FIFTY = 50 * MEBIBYTE
BOMB = gzip.compress(b"[" * FIFTY)
LARGE = {
    "announced": (f"Content-Length: {FIFTY}\r\n", [b" " * MEBIBYTE] * 50, 413),
    "in chunks": ("Transfer-Encoding: chunked\r\n", [CHUNK] * 800 + [b"0\r\n\r\n"], 413),
    "packed": (f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n", [BOMB], 415),
}
SPELLED = {
    "lists in lists": b"[" * 900_000,
    "objects in objects": b'{"a":' * 150_000,
    "a number of 900 000 digits": b"[[" + b"9" * 900_000 + b",1,1,1]]",
    "340 000 empty rows": b"[" + b"[]," * 340_000 + b"[]]",
    "a record of 90 000 columns": b"{" + b",".join(b'"%d":1' % number for number in range(90_000)) + b"}",
    "a name of 900 000 letters": b'{"' + b"x" * 900_000 + b'":1}',
    "no UTF-8": b"\xff\xfe" * 400_000,
    "not a number": b"[[NaN,1,1,1]]",
}


def test_large_bodies_are_refused_without_being_kept(api: Api) -> None:
    """Ten at once of each kind."""
    peak = Peak(api)
    for name, (head, pieces, status) in LARGE.items():
        answers: list[int] = []
        clients = [
            threading.Thread(target=lambda: answers.append(answer_to(api, head, *pieces)[0]))  # noqa: B023
            for _ in range(10)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert answers == [status] * 10, name
    assert peak.growth < ROOM


def test_bodies_that_are_hard_to_read_are_refused_in_bounded_memory(api: Api) -> None:
    peak = Peak(api)
    for name, body in SPELLED.items():
        assert len(body) <= MEBIBYTE
        status, text = answer_to(api, f"Content-Length: {len(body)}\r\n", body)
        assert status in {400, 422}, name
        assert len(text) < 10_000, name
        assert {"type", "status", "detail"} <= set(json.loads(text)), name
    assert peak.growth < ROOM


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, identity"])
def test_a_coded_body_is_refused_with_what_is_taken(api: Api, coding: str) -> None:
    head = f"Content-Encoding: {coding}\r\nContent-Length: {len(BODY)}\r\n"
    status, text = answer_to(api, head, BODY)
    assert status == 415
    assert "without Content-Encoding" in json.loads(text)["detail"]


WRONG_LENGTHS = {
    "longer than the body": (f"Content-Length: {len(BODY) + 10}\r\n", 400),
    "shorter than the body": (f"Content-Length: {len(BODY) - 10}\r\n", 400),
    "negative": ("Content-Length: -1\r\n", 400),
    "no number": ("Content-Length: many\r\n", 400),
    "two that differ": (f"Content-Length: {len(BODY)}\r\nContent-Length: 1\r\n", 400),
    "of more bits than there are": (f"Content-Length: {'9' * 40}\r\n", 400),
    "of a body that is too large": (f"Content-Length: {10**12}\r\n", 400),
    "no length": ("", 400),
    "of a coded body": (f"Content-Encoding: gzip\r\nContent-Length: {len(BODY) + 10}\r\n", 415),
    "a chunk without end": ("Transfer-Encoding: chunked\r\n", 400),
}


@pytest.mark.parametrize(("head", "status"), WRONG_LENGTHS.values(), ids=WRONG_LENGTHS)
def test_a_wrong_length_is_refused(api: Api, head: str, status: int) -> None:
    assert answer_to(api, head, BODY, half_close=True)[0] == status


def test_slow_clients_stop_nobody_and_are_told_so(api: Api) -> None:
    """A byte now and then, or none: twelve clients, and others are served as before."""
    peak, over = Peak(api), threading.Event()
    slow = [connect(api) for _ in range(12)]
    for connection in slow:
        connection.sendall(f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n".encode())

    def drip() -> None:
        while not over.wait(0.2):
            for connection in slow[:6]:
                connection.sendall(b" ")

    wait_until("twelve requests are in flight", lambda: in_flight(api) >= 12)
    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        assert [api.predict().status_code for _ in range(20)] == [200] * 20
        answers = [read_answer(connection) for connection in slow]
    finally:
        over.set()
        dripping.join()
        for connection in slow:
            connection.close()
    assert [status for status, _ in answers] == [408] * 12
    assert json.loads(answers[0][1])["type"] == "urn:prediction-api:too-slow"
    assert peak.growth < ROOM
    wait_until("none is in flight but the question itself", lambda: in_flight(api) <= 1)


def in_flight(api: Api) -> float:
    lines = api.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("prediction_api_in_flight"))


def test_an_idle_connection_is_closed(api: Api) -> None:
    with connect(api) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: api\r\n\r\n")
        assert read_answer(connection)[0] == 200
        assert connection.recv(1) == b""
