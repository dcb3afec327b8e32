"""Policies, and what failures of the object store are called; the work on a real store is in tests/stack."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.clients import s3
from sandbox.clients.s3 import S3StoreAway, S3StoreError
from sandbox.steps import buckets

SECRETS = {"mlflow": "secret-of-mlflow", "loop": "secret-of-the-loop"}


def allowed(name: str) -> set[tuple[str, str]]:
    """The (action, resource) pairs of a user's policy."""
    (user,) = [user for user in buckets.users(SECRETS) if user.name == name]
    return {
        (action, resource.removeprefix("arn:aws:s3:::"))
        for statement in user.policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that gives every connection the same answer, after it has read something."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def http(status: int, body: str, kind: str = "application/xml") -> bytes:
    head = [
        f"HTTP/1.1 {status} X",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*head, "", body]).encode()


def s3_error(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>so it is</Message></Error>"


def test_the_loop_reads_raw_data_and_writes_data_versions():
    assert {resource for _, resource in allowed("loop")} == {"data", "data/*", "dvc", "dvc/*"}
    assert {action for action, resource in allowed("loop") if resource.startswith("data")} == {
        *("s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"),
    }
    assert ("s3:PutObject", "dvc/*") in allowed("loop")


def test_mlflow_sees_its_own_bucket_alone():
    assert {resource for _, resource in allowed("mlflow")} == {"mlflow", "mlflow/*"}
    assert {("s3:GetObject", "mlflow/*"), ("s3:PutObject", "mlflow/*")} <= allowed("mlflow")


def test_a_policy_is_compared_without_orders_that_mean_nothing():
    wanted = s3.policy(s3.readable("data"), s3.writable("dvc"))
    given_back = {
        "Version": "2012-10-17",
        "Statement": [
            {key: one[key][::-1] if isinstance(one[key], list) else one[key] for key in reversed(one)}
            for one in reversed(wanted["Statement"])
        ],
    }
    assert s3._comparable(given_back) == s3._comparable(wanted)
    assert s3._comparable({}) != s3._comparable(wanted)
    assert s3._comparable(s3.policy(s3.readable("data"))) != s3._comparable(wanted)


def test_no_secret_is_shown():
    assert "secret-of" not in repr(buckets.users(SECRETS))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "SignatureDoesNotMatch", "B11"),
        (403, "InvalidAccessKeyId", "B11"),
        (503, "XMinioServerNotInitialized", "B12"),
        (507, "XMinioStorageFull", "B13"),
        (400, "XMinioSomethingElse", "B14"),
    ],
)
def test_an_answer_has_its_code_and_a_command(status, code, expected):
    with answering(http(status, s3_error(code))) as port, pytest.raises(S3StoreError) as caught:
        buckets.prepare(port, "root-password", SECRETS, patience=0)
    assert str(caught.value).startswith(f"{expected} ")
    assert "so it is" in str(caught.value)
    assert caught.value.hint
    assert isinstance(caught.value, S3StoreAway) == (expected == "B12")


def test_another_web_server_is_no_store():
    page = http(404, "<html>hello</html>", "text/html")
    with answering(page) as port, pytest.raises(S3StoreError, match=r"^B14 .*no object store"):
        buckets.prepare(port, "root-password", SECRETS, patience=0)


def test_no_store_and_one_that_hangs_up_are_away():
    with pytest.raises(S3StoreAway, match=r"^B12 "):
        buckets.prepare(free_port(), "root-password", SECRETS, patience=0)
    with answering(b"") as port, pytest.raises(S3StoreAway, match=r"^B12 "):
        buckets.prepare(port, "root-password", SECRETS, patience=0)
