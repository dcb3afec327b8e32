"""services/healthcheck, which our Python containers run, against a server that gives each kind of answer."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

ANSWERS = {
    "/well": (200, b'{"scheduler": {"status": "healthy"}}'),
    "/ill": (200, b'{"scheduler": {"status": "unhealthy"}}'),
    "/absent": (200, b'{"scheduler": null}'),
    "/text": (200, b"ok"),
    "/busy": (503, b"not yet"),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def check(root, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-IS", str(root / "services/healthcheck"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("path", "wanted", "code", "said"),
    [
        ("/well", [], 0, ""),
        ("/text", [], 0, ""),
        ("/well", ["scheduler.status=healthy"], 0, ""),
        ("/ill", ["scheduler.status=healthy"], 1, "scheduler.status is unhealthy, not healthy"),
        ("/absent", ["scheduler.status=healthy"], 1, "no scheduler.status in"),
        ("/text", ["scheduler.status=healthy"], 1, "no scheduler.status in ok"),
        ("/busy", [], 1, "answered 503: not yet"),
    ],
)
def test_healthy_is_what_the_server_says(root, server, path, wanted, code, said):
    result = check(root, server + path, *wanted)
    assert (result.returncode, said in result.stderr) == (code, True), result.stderr


def test_a_server_that_is_away_is_not_healthy(root):
    result = check(root, "http://127.0.0.1:9/")
    assert result.returncode == 1
    assert "does not answer" in result.stderr
