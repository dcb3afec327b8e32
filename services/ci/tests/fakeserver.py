"""A server that answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOGIN = "POST /auth/token"
Answer = tuple[int, Any]


class FakeServer:
    """Airflow, Gitea and Jenkins: `answers` by request, with its query first, a list up to its last."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any, dict[str, str]]] = []
        self.received: list[tuple[str, bytes]] = []  # the same with their queries, and bodies as they came
        self.answers: dict[str, Any] = {
            LOGIN: (201, {"access_token": "jwt"}),
        }
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                status, content = fake.answer(
                    f"{self.command} {self.path}", self.rfile.read(length), dict(self.headers)
                )
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            do_GET = do_POST = answer

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))

    def answer(self, request: str, raw: bytes, headers: dict[str, str]) -> Answer:
        name = request.partition("?")[0]
        self.received.append((request, raw))
        self.requests.append((name, json.loads(raw or b"null"), headers))
        found = self.answers.get(request) or self.answers.get(name, (404, {"detail": "Not Found"}))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        return found

    def bodies(self, request: str) -> list[Any]:
        return [body for name, body, _ in self.requests if name == request]
