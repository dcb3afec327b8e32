"""Load at a steady rate against a real server: what is counted, and what a stall costs."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.clients.prediction_api import PredictionApi
from sandbox.load import Answered, Load, latencies, summary
from sandbox.load_run import plot

ROWS = [{"a": 1}, {"a": 2}]


class Api(BaseHTTPRequestHandler):
    """Answers like the prediction API; the third request is refused."""

    protocol_version = "HTTP/1.1"
    seen: list = []  # noqa: RUF012
    lock = threading.Lock()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.lock:
            self.seen.append(body["instances"])
            status = 503 if len(self.seen) == 3 else 200
        answer = json.dumps({"predictions": ["x"] * len(body["instances"])}).encode()
        self.send_response(status)
        self.send_header("X-Model-Version", "7")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def connect():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    Api.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield lambda: PredictionApi(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_every_request_is_counted_with_its_version_and_a_failure_with_its_reason(connect):
    enough = threading.Event()
    with Load(connect, ROWS, rate=100, size=2) as load:
        while not enough.wait(0.01) and len(load.answered) < 30:
            pass
    found = summary(load, 100)
    assert found["requests"] == len(Api.seen) == len(load.answered) >= 30
    assert all(len(instances) == 2 and instances[0] in ROWS for instances in Api.seen)
    assert found["statuses"] == {"200": found["requests"] - 1, "503": 1}
    assert found["versions"] == {"7": found["requests"] - 1}
    assert (found["failed"], "answered 503" in found["first_failure"]) == (1, True)
    assert sum(each["requests"] for each in found["by_second"]) == found["requests"]


def test_a_server_that_is_away_is_a_failure_and_no_crash():
    with Load(lambda: PredictionApi("http://127.0.0.1:9"), ROWS, rate=50) as load:
        while not load.answered:
            pass
    found = summary(load, 50)
    assert found["statuses"] == {"0": found["requests"]}
    assert "no connection" in found["first_failure"]


def test_requests_are_due_at_the_rate_whatever_the_server_does(connect):
    wanted = [n / 40 for n in range(8)]
    with Load(connect, ROWS, rate=40) as load:
        while len([each for each in load.answered if each.due < 8 / 40 - 0.001]) < 8:
            pass
    assert sorted(each.due for each in load.answered)[:8] == pytest.approx(wanted)


def test_a_stall_is_in_the_latency_of_those_that_were_due_meanwhile(connect, monkeypatch):
    """Half a second in which nobody is answered: who was due then has waited."""
    stalled, gate, answer = threading.Event(), threading.Lock(), Api.do_POST

    def stalls(handler):
        with gate:
            if not stalled.is_set():
                stalled.set()
                threading.Event().wait(0.5)
        answer(handler)

    monkeypatch.setattr(Api, "do_POST", stalls)
    with Load(connect, ROWS, rate=40) as load:
        while len([each for each in load.answered if each.due < 0.3]) < 10:
            pass
    waited = [each for each in load.answered if each.due < 0.3]
    assert all(each.seconds > 0.5 - each.due - 0.02 for each in waited)


def test_what_was_due_and_not_sent_is_told():
    load = Load(lambda: None, ROWS, rate=10)
    load.seconds, load.answered = 5.0, [Answered(0.1, 0.2, 200)] * 20
    assert summary(load, 10)["unsent"] == 30


def test_percentiles_are_of_the_nearest_rank():
    answered = [Answered(0.0, seconds / 1000, 200) for seconds in range(1, 101)]
    assert latencies(answered) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}
    assert latencies([]) == {}


def test_the_plot_names_its_lines_and_its_unit():
    drawn = plot([{"second": n, "p50": 1.0, "p99": 2.0 + n} for n in range(5)])
    assert all(word in drawn for word in ("p50", "p99", "latency in ms"))
    assert "\x1b" not in drawn
