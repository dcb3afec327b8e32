"""The login at MLflow, against a server that wants one."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from requests.auth import _basic_auth_str
from servers import Api, wait_until

from prediction_api.errors import RegistryError
from prediction_api.registry import Registry
from prediction_api.settings import Settings

USER, PASSWORD = "serving", "right-password"
WRONG = "wrong-password"


class Guarded(BaseHTTPRequestHandler):
    """Answers any route, and only with the login."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != _basic_auth_str(USER, PASSWORD):
            self.send_response(401)
            self.end_headers()
            return
        body = b'{"registered_models": []}' if "search" in self.path else b"file"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def guarded() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry(settings: Settings, guarded: str) -> Callable[..., Registry]:
    make = partial(type(settings), home=settings.home, mlflow_url=guarded)
    return lambda user="", password="": Registry(make(mlflow_user=user, mlflow_password=password))


def test_answers_and_files_are_asked_for_with_the_login(registry: Callable[..., Registry]) -> None:
    client = registry(USER, PASSWORD)
    assert client.champion() is None
    assert b"".join(client.download("1/models", "MLmodel")) == b"file"


def test_a_wrong_password_names_the_login_and_the_setting_but_not_itself(
    registry: Callable[..., Registry],
) -> None:
    client = registry(USER, WRONG)
    for ask in (client.champion, lambda: list(client.download("1/models", "MLmodel"))):
        with pytest.raises(
            RegistryError, match="password of serving; look at MLFLOW_TRACKING_PASSWORD"
        ) as error:
            ask()
        assert WRONG not in str(error.value)


def test_a_missing_login_is_said(registry: Callable[..., Registry]) -> None:
    with pytest.raises(RegistryError, match="asks for a login; set MLFLOW_TRACKING_USERNAME"):
        registry().champion()


def test_ready_and_the_log_say_why_nothing_is_served(guarded: str, start_api: Callable[..., Api]) -> None:
    api = start_api(url=guarded, MLFLOW_TRACKING_USERNAME=USER, MLFLOW_TRACKING_PASSWORD=WRONG)
    answer = wait_until("the refusal shows", lambda: _refused(api))
    assert answer["title"] == "No model is served yet"
    assert [line["state"] for line in api.lines("registry")] == ["away"]
    assert "password of serving" in api.lines("registry")[0]["message"]
    assert WRONG not in api.log.read_text() + str(answer)


def _refused(api: Api) -> Any:
    answer = api.get("/ready")
    assert answer.status_code == 503
    return answer.json() if "password of serving" in answer.json()["detail"] else None
