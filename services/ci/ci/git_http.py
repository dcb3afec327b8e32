"""Git's smart HTTP (https://git-scm.com/docs/http-protocol), answered by `git http-backend` as CGI."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any

from flask import Blueprint, Response, abort, current_app, request

from ci.app import Ci
from ci.errors import UnknownRepository
from ci.logins import Logins
from ci.settings import MACHINE

READ, WRITE = "git-upload-pack", "git-receive-pack"
PUSH_LIMIT = 4_000_000_000  # bytes of one request
CHUNK = 65_536
HEADER_LIMIT = 100  # lines
# Every git holds one of the server's threads, and a push needs another one: its hook calls this server.
AT_ONCE = 8
PATIENCE = 60.0  # seconds until the client is asked to come back
REALM = 'Basic realm="ci", charset="UTF-8"'

places = threading.BoundedSemaphore(AT_ONCE)
blueprint = Blueprint("git_http", __name__, url_prefix="/<owner>/<name>.git")


def here() -> Ci:
    return current_app.extensions["ci"]


@blueprint.get("/info/refs")
def refs(owner: str, name: str) -> Response:
    """What a repository has: the start of every fetch and push."""
    service = request.args.get("service", "")
    if service not in (READ, WRITE):
        abort(403, "Only Git's smart protocol is spoken here; use git 1.6.6 or newer.")
    return answer(owner, name, "info/refs", service)


@blueprint.post(f"/<any('{READ}', '{WRITE}'):service>")
def talk(owner: str, name: str, service: str) -> Response:
    """A fetch or a push."""
    return answer(owner, name, service, service)


def answer(owner: str, name: str, path: str, service: str) -> Response:
    """Let git answer; 401 for a push without login, 404 for a repository that is not there."""
    if owner != here().settings.organisation:
        abort(404, f"There is no organisation {owner[:100]!r} here.")
    user = Logins(here().settings).user(request.headers.get("Authorization", ""))
    if user is None and (service == WRITE or "Authorization" in request.headers):
        response = Response("Log in as a user of this server to push.\n", 401, mimetype="text/plain")
        response.headers["WWW-Authenticate"] = REALM
        return response
    try:
        here().repositories.path(name)
    except UnknownRepository as error:
        abort(404, str(error))
    if not places.acquire(timeout=PATIENCE):
        abort(503, f"{AT_ONCE} clones and pushes are at work; try again.")
    try:
        return respond(Backend(environment(f"/{name}.git/{path}", user or ""), spool()))
    except BaseException:
        places.release()
        raise


def spool() -> IO[bytes]:
    """The body as a file: git may answer before it has read all, and both pipes would fill."""
    request.max_content_length = PUSH_LIMIT
    body = tempfile.TemporaryFile(dir=here().settings.home)  # noqa: SIM115
    try:
        while chunk := request.stream.read(CHUNK):
            body.write(chunk)
        body.seek(0)
    except BaseException:
        body.close()
        raise
    return body


def environment(path: str, user: str) -> dict[str, str]:
    """What the CGI program gets (RFC 3875): nothing of this server but its machine."""
    settings = here().settings
    machine = {key: value for key, value in settings.machine.items() if key in MACHINE}
    given = {
        "GIT_PROJECT_ROOT": str(settings.git_root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path,
        "QUERY_STRING": request.query_string.decode("latin-1"),
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": request.remote_addr or "",
        # git takes pushes only where somebody is logged in; the hook names LOGNAME as the pusher
        "REMOTE_USER": user,
        "LOGNAME": user,
    }
    return {**machine, **{key: value for key, value in given.items() if value}}


class Backend:
    """One `git http-backend`: its status, its media type and its output, piece by piece."""

    def __init__(self, env: dict[str, str], body: IO[bytes]) -> None:
        with body:
            env = {**env, "CONTENT_LENGTH": str(os.fstat(body.fileno()).st_size)}
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                ["git", "http-backend"], env=env, stdin=body, stdout=subprocess.PIPE
            )
        assert self.process.stdout is not None
        self.output = self.process.stdout
        self.headers = self._read_headers()

    def _read_headers(self) -> dict[str, str]:
        headers = {}
        for _ in range(HEADER_LIMIT):
            key, colon, value = self.output.readline().decode("latin-1").partition(":")
            if not colon:
                break
            headers[key.strip().lower()] = value.strip()
        return headers

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.output.read1(CHUNK):  # type: ignore[attr-defined]
            yield chunk

    def close(self) -> None:
        """End git where the client has gone; once."""
        self.output.close()
        try:
            self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()


def respond(backend: Backend) -> Response:
    """What git says as an answer; 500 where it says nothing."""
    headers: dict[str, Any] = backend.headers
    if "content-type" not in headers and "status" not in headers:
        backend.close()
        abort(500, "git http-backend failed; the server's log says why.")
    status = headers.get("status", "200 OK")
    response = Response(backend, status, content_type=headers.get("content-type", "text/plain"))
    response.call_on_close(backend.close)
    response.call_on_close(places.release)
    return response
