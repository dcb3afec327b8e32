"""The login at MLflow, against a server that wants one."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from requests.auth import _basic_auth_str
from servers import Api, wait_until

from prediction_api.copies import Copies
from prediction_api.errors import LoginRefused, RegistryError
from prediction_api.follower import Follower
from prediction_api.registry import Look, Registry
from prediction_api.service import Service
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
        if "broken" in self.path:
            self.send_error(500, "secret_table")
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
    assert client.look() == Look(None)
    assert b"".join(client.download("1/models", "MLmodel")) == b"file"


def test_a_wrong_password_names_the_login_and_the_setting_but_not_itself(
    registry: Callable[..., Registry],
) -> None:
    client = registry(USER, WRONG)
    for ask in (client.look, lambda: list(client.download("1/models", "MLmodel"))):
        with pytest.raises(
            RegistryError, match="password of serving; look at MLFLOW_TRACKING_PASSWORD"
        ) as error:
            ask()
        assert WRONG not in str(error.value)


def test_a_missing_login_is_said(registry: Callable[..., Registry]) -> None:
    with pytest.raises(RegistryError, match="asks for a login; set MLFLOW_TRACKING_USERNAME"):
        registry().look()


@pytest.mark.parametrize(
    ("path", "password", "shown", "logged"),
    [
        ("", WRONG, "MLflow refuses the login; look at MLFLOW_TRACKING_PASSWORD.", "password of serving"),
        ("/broken", PASSWORD, "MLflow does not answer as it should; the log says why.", "secret_table"),
    ],
)
def test_ready_says_the_kind_of_failure_and_the_log_the_reason(
    guarded: str, start_api: Callable[..., Api], path: str, password: str, shown: str, logged: str
) -> None:
    login = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": password}
    api = start_api(url=guarded + path, **login)
    answer = wait_until("MLflow's failure shows", lambda: _without_mlflow(api))
    assert (answer["title"], answer["detail"]) == ("No model is served yet", shown)
    (line,) = api.lines("registry")
    assert line["state"] == "away"
    assert logged in line["message"]
    assert guarded in line["message"]
    assert WRONG not in api.log.read_text() + str(answer)


def _without_mlflow(api: Api) -> Any:
    answer = api.get("/ready")
    assert answer.status_code == 503
    return answer.json() if "last_refusal" not in answer.json()["detail"] else None


class Failing(Registry):
    """A client whose next error is the first of `errors`."""

    def __init__(self, settings: Settings, errors: list[RegistryError]) -> None:
        super().__init__(settings)
        self._errors = errors

    def look(self) -> Look:
        raise self._errors.pop(0)


def test_a_login_refused_after_an_outage_is_logged_too(
    settings: Settings, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = [RegistryError("It is away."), RegistryError("Still away."), LoginRefused("It says 401.")]
    copies = Copies(settings.home, 1)
    follower = Follower(settings, service.serving, Failing(settings, errors), copies, service.metrics)
    for _ in range(3):
        follower.look()
    said = capsys.readouterr().out
    assert ("It is away." in said, "Still away." in said, "It says 401." in said) == (True, False, True)
