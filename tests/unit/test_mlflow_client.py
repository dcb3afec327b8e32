"""MLflow's client: the login goes with every call, and only where there is one."""

import pytest
import requests
from requests.auth import _basic_auth_str

from sandbox.clients.mlflow import Mlflow
from sandbox.http import ApiError


class Server(requests.adapters.BaseAdapter):
    """Answers what it is told, and keeps the login it saw."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self.status, self.body = status, body
        self.login: str | None = None

    def send(self, request, **_):  # type: ignore[no-untyped-def]
        self.login = request.headers.get("Authorization")
        answer = requests.Response()
        answer.status_code, answer._content, answer.request = self.status, self.body, request
        return answer

    def close(self) -> None:
        """Nothing is open."""


def _client(server: Server, *login: str) -> Mlflow:
    mlflow = Mlflow("http://mlflow.test:5000", *login)
    mlflow.http.session.mount("http://", server)
    return mlflow


def test_the_login_is_sent() -> None:
    server = Server(200, b'{"registered_models": [{"name": "iris"}]}')
    assert _client(server, "admin", "secret").names() == ["iris"]
    assert server.login == _basic_auth_str("admin", "secret")


def test_without_a_user_no_login_is_sent() -> None:
    server = Server(200, b"{}")
    assert _client(server).names() == []
    assert server.login is None


def test_a_refused_login_is_told_without_its_password() -> None:
    server = Server(401, b'{"error_code": "UNAUTHENTICATED", "message": "MLflow needs a login"}')
    with pytest.raises(ApiError, match=r"answered 401: .* needs a login") as error:
        _client(server, "admin", "secret").version("iris", "1")
    assert error.value.status == 401
    assert "secret" not in str(error.value)
