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


@pytest.mark.parametrize("status", [400, 404])
def test_a_model_without_the_alias_has_no_champion(status: int) -> None:
    server = Server(status, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "alias not found"}')
    assert _client(server).champion("iris") is None


def test_any_other_refusal_is_not_taken_for_no_champion() -> None:
    with pytest.raises(ApiError, match="answered 500"):
        _client(Server(500, b"{}")).champion("iris")


def test_versions_have_their_tags_as_a_mapping() -> None:
    row = b'{"version": "2", "tags": [{"key": "promoted_over", "value": "{}"}]}'
    champion = _client(Server(200, b'{"model_version": ' + row + b"}")).champion("iris")
    (listed,) = _client(Server(200, b'{"model_versions": [' + row + b"]}")).versions("iris")
    assert champion == listed == {"version": "2", "tags": {"promoted_over": "{}"}}
    assert _client(Server(200, b"{}")).versions("iris") == []
