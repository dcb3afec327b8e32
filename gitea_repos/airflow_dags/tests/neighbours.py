"""A small real HTTP server, and three of the loop's neighbours on it or on disk."""

import json
import os
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = Path(__file__).resolve().parent.parent
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}
GIT |= {
    f"GIT_{role}_{what}": "t@example.invalid"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
LIBRARIES = {"python": "3.11.7", "scikit-learn": "1.9.1", "skops": "0.16.0", "numpy": "2.4.0"}

Answer = tuple[int, Any]


class Server:
    """An HTTP server on a free port; `answer` gives status and body, every request is kept in `seen`."""

    def __init__(self, answer: Callable[[str, str, dict[str, str], Any], Answer]) -> None:
        self.answer, self.seen, self.headers = answer, [], {}
        handler = type("Handler", (_Handler,), {"owner": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: Server

    def handle_any(self) -> None:
        parts, length = urlsplit(self.path), int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.owner.seen.append((self.command, parts.path, body, dict(self.headers)))
        status, value = self.owner.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
        text = value if isinstance(value, str | bytes) else json.dumps(value)
        data = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        for key, text in self.owner.headers.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

    def log_message(self, *_: Any) -> None:
        """Tests read `seen` instead."""


class Statuses:
    """The status server: what was posted, by commit and context."""

    def __init__(self) -> None:
        self.posted: dict[str, dict[str, dict[str, str]]] = {}

    def set(self, commit: str, context: str, state: str, description: str = "") -> None:
        status = {"context": context, "status": state, "description": description}
        self.posted.setdefault(commit, {})[context] = status

    def __call__(self, method: str, path: str, _: dict[str, str], body: Any) -> Answer:
        if method == "POST":
            self.set(path.rsplit("/", 1)[1], body["context"], body["state"], body["description"])
            return 201, body
        commit = path.split("/")[-2]
        return 200, {"state": "", "statuses": list(self.posted.get(commit, {}).values())}


class API:
    """The prediction API: what each worker serves, and what it answers."""

    def __init__(self) -> None:
        self.workers: list[tuple[str, str]] = []
        self.refusal: dict[str, str] | None = None
        self.labels: list[Any] = []
        self.pin: str | None = None

    def __call__(self, _: str, path: str, *__: Any) -> Answer:
        if path == "/predict":
            return 200, {"predictions": self.labels}
        if path == "/metrics":
            lines = [
                f'prediction_api_model_info{{name="{name}",version="{number}"}} 1.0'
                for name, number in self.workers
            ]
            return 200, "\n".join([*lines, 'prediction_api_model_info{name="iris",version="99"} 0.0'])
        workers = [{"pid": 1, "name": name, "version": number} for name, number in self.workers]
        servable = {"libraries": LIBRARIES, "types": ["sklearn.tree._tree.Tree"]}
        return (200 if workers else 503), {
            "workers": workers,
            "servable": servable,
            "last_refusal": self.refusal,
            "pin": self.pin,
        }


class Repository:
    """A real bare repository with commits on main, made without a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(folder))

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"]} | GIT
        command = (
            ["git", *arguments]
            if arguments[0] == "init"
            else ["git", "--git-dir", str(self.folder), *arguments]
        )
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, word: str) -> str:
        """One more commit on main."""
        tree = self.git("hash-object", "-t", "tree", "-w", "/dev/null")
        parents = self.git("for-each-ref", "--format=%(objectname)", "refs/heads/main").split()
        options = [option for parent in parents for option in ("-p", parent)]
        commit = self.git("commit-tree", tree, "-m", word, *options)
        self.git("update-ref", "refs/heads/main", commit)
        return commit
