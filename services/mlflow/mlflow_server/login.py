"""MLflow's application behind HTTP Basic, for `mlflow server --app-name sandbox`.

The check stands around the whole ASGI application, so that no route of the Flask or FastAPI half of MLflow is
outside it, one of a later version included. Passwords are read from the environment and live nowhere else.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Mapping
from hashlib import sha256

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_server import rights

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="mlflow", charset="UTF-8"'}


class LoginError(Exception):
    """The passwords in the environment cannot be used."""


class Login:
    """Lets a request through to `app` if its login may send it."""

    def __init__(self, app: ASGIApp, passwords: Mapping[str, str]) -> None:
        self._app = app
        self._digests = {name: _digest(f"{name}:{password}".encode()) for name, password in passwords.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # MLflow has none
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        method, path = scope["method"], scope["path"]
        if rights.is_open(method, path):
            return None
        login = self._login(HTTPConnection(scope).headers.get("authorization", ""))
        if login is None:
            message = "MLflow needs a login: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
            return _answer(401, "UNAUTHENTICATED", message, _CHALLENGE)
        if not rights.may(login, method, path):
            return _answer(403, "PERMISSION_DENIED", f"The login {login} may not {method} {path}.")
        return None

    def _login(self, header: str) -> str | None:
        """The login the header proves. Every password is compared, so that time tells nothing of any."""
        given = _digest(_credentials(header))
        proven = [name for name, digest in self._digests.items() if hmac.compare_digest(digest, given)]
        return proven[0] if proven else None


def create_app() -> ASGIApp:
    """MLflow's application with the logins of the environment. Raises LoginError if a password is missing."""
    passwords = passwords_from(os.environ)
    from mlflow.server.fastapi_app import app  # the parent process only looks this function up

    return Login(app, passwords)


def passwords_from(environ: Mapping[str, str]) -> dict[str, str]:
    """Login to password, from `MLFLOW_<LOGIN>_PASSWORD`. Raises LoginError naming what is missing."""
    variables = {login: f"MLFLOW_{login.upper()}_PASSWORD" for login in rights.LOGINS}
    missing = [variable for variable in variables.values() if not environ.get(variable)]
    if missing:
        raise LoginError(f"MLflow has no password for its logins: set {', '.join(missing)}.")
    return {login: environ[variable] for login, variable in variables.items()}


def _credentials(header: str) -> bytes:
    """`user:password` of a Basic header (RFC 7617), nothing where there is none."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(token.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _digest(credentials: bytes) -> bytes:
    """Of one length whatever the password's; no store of passwords, so no slow hash."""
    return sha256(credentials).digest()


def _answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error in the form of MLflow's REST API, so that its client shows the message."""
    return JSONResponse({"error_code": code, "message": message}, status, headers)
