"""Git's smart HTTP (https://git-scm.com/docs/http-protocol), answered by `git http-backend` as CGI."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Any

from flask import Blueprint, Response, abort, request

from ci.errors import UnknownRepository
from ci.logins import Logins
from ci.routes import here
from ci.settings import MACHINE
from ci.spool import CHUNK, empty, spool

READ, WRITE = "git-upload-pack", "git-receive-pack"
LIMITS = {READ: 10_000_000, WRITE: 4_000_000_000}  # bytes of a body
HEADER_LIMIT = 100  # lines
# Every request here holds one of the server's threads, and a push needs one more: its hook calls this server.
AT_ONCE = 8
THREADS = 3 * AT_ONCE  # of this module at most, but for those that wait
PATIENCE = 0.5  # seconds to wait for a place, twice at most
RETRY_AFTER = 5  # seconds until a client may come back
REALM = 'Basic realm="ci", charset="UTF-8"'

# Whoever still sends takes no place from a git, and without a login none from those who sent one.
working = threading.BoundedSemaphore(AT_ONCE)
receiving = {is_known: threading.BoundedSemaphore(AT_ONCE) for is_known in (True, False)}
blueprint = Blueprint("git_http", __name__, url_prefix="/<owner>/<name>.git")


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
    with receive(service, user is not None) as body:
        take(working)
        try:
            return respond(Backend(environment(f"/{name}.git/{path}", service, user or ""), body))
        except BaseException:
            working.release()
            raise


def receive(service: str, is_known: bool) -> IO[bytes]:
    """The body as a file; 503 where too many send."""
    if request.method != "POST":
        return empty()
    take(receiving[is_known])
    try:
        return spool(here().settings.home, LIMITS[service])
    finally:
        receiving[is_known].release()


def take(places: threading.BoundedSemaphore) -> None:
    """Take a place; 503 where none becomes free soon: whoever waits holds a thread that hooks need."""
    if not places.acquire(timeout=PATIENCE):
        abort(503, f"{AT_ONCE} others are at work; try again.", retry_after=RETRY_AFTER)


def environment(path: str, service: str, user: str) -> dict[str, str]:
    """What the CGI program gets (RFC 3875): nothing of this server but its machine, only what was checked."""
    settings = here().settings
    machine = {key: value for key, value in settings.machine.items() if key in MACHINE}
    given = {
        "GIT_PROJECT_ROOT": str(settings.git_root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path,
        "QUERY_STRING": f"service={service}" if request.method != "POST" else "",
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
    response.call_on_close(working.release)
    return response
