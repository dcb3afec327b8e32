"""Gitea's administrator: made or given the password of .env by Gitea's own command, only where needed."""

import base64
import shlex
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox import compose
from sandbox.clients.gitea import GiteaAway, GiteaError
from sandbox.compose import PROJECT, SERVICE
from sandbox.steps import gitea_admin

PASSWORD = 'it\'s $HOME "x" -p'
HEADER = "ID   Username Email             IsActive IsAdmin 2FA"


class FakeGitea(ThreadingHTTPServer):
    """Answers GET /user alone: 401 for a wrong login, or `always`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.users: dict[str, str] = {}
        self.commands: list[list[str]] = []
        self.always = 0
        self.deaf = False
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/v1"

    def execute(self, command: Sequence[str], password: str) -> str:
        """Gitea's command, its password taken from the environment as a shell would."""
        shell = list(command[:2]) == ["sh", "-c"]
        assert not any(PASSWORD in word for word in command)
        words = shlex.split(command[2])[1:] if shell else list(command)
        self.commands.append(words)
        if words[3] == "list":
            rows = [
                f"{i}    {name}  {name}@x  true     true    false" for i, name in enumerate(self.users, 1)
            ]
            return "\n".join(["2026/11/21 [I] sandbox: a line of the log", HEADER, *rows])
        assert words[-1] == "--password=$GITEA_PASSWORD"
        if not self.deaf:
            self.users[words[words.index("--username") + 1]] = password
        return ""


class Handler(BaseHTTPRequestHandler):
    server: FakeGitea

    def do_GET(self) -> None:
        given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        user, _, password = given.partition(":")
        status = 200 if self.server.users.get(user) == password and self.path == "/api/v1/user" else 401
        self.send_response(self.server.always or status)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(serve) -> FakeGitea:
    return serve(FakeGitea())


def test_where_nobody_is_the_administrator_is_made(server):
    assert gitea_admin.prepare(server.url, PASSWORD, server.execute) == "user sandbox in Gitea"
    made = server.commands[-1]
    assert made[:4] == ["gitea", "admin", "user", "create"]
    assert {"--admin", "--must-change-password=false"} <= set(made)


def test_on_old_data_the_password_is_changed_without_the_old_one(server):
    server.users |= {"sandboxer": "x", "sandbox": "old"}
    assert gitea_admin.prepare(server.url, PASSWORD, server.execute) == "password of sandbox in Gitea"
    assert server.commands[-1][:4] == ["gitea", "admin", "user", "change-password"]
    assert "--must-change-password=false" in server.commands[-1]
    assert server.users == {"sandboxer": "x", "sandbox": PASSWORD}


def test_a_name_that_only_begins_alike_is_somebody_else(server):
    server.users |= {"sandboxer": "x"}
    assert gitea_admin.prepare(server.url, PASSWORD, server.execute) == "user sandbox in Gitea"


def test_a_login_that_works_executes_nothing(server):
    server.users["sandbox"] = PASSWORD
    assert gitea_admin.prepare(server.url, PASSWORD, server.execute) == ""
    assert server.commands == []


def test_a_server_without_logins_executes_nothing(server):
    server.always = 404
    assert gitea_admin.prepare(server.url, PASSWORD, server.execute) == ""
    assert server.commands == []


@pytest.mark.parametrize(("status", "kind"), [(503, GiteaAway), (500, GiteaError), (403, GiteaError)])
def test_any_other_answer_executes_nothing(server, status, kind):
    server.always = status
    with pytest.raises(kind):
        gitea_admin.prepare(server.url, PASSWORD, server.execute, patience=0)
    assert server.commands == []


def test_a_login_that_still_fails_is_said(server):
    server.deaf = True
    with pytest.raises(GiteaError, match=r"^B21 ") as caught:
        gitea_admin.prepare(server.url, PASSWORD, server.execute)
    assert PASSWORD not in str(caught.value)


class FakeEngine:
    """The one container of Compose's labels, if it is there; remembers what it was told to execute."""

    def __init__(self, code: int = 0, said: bytes = b"", *, there: bool = True) -> None:
        self.containers = self
        self.result = SimpleNamespace(exit_code=code, output=said)
        self.there = there
        self.asked: dict[str, Any] = {}
        self.told: tuple[Sequence[str], dict[str, str]] | None = None

    def list(self, filters: dict[str, Any]) -> list[Any]:
        self.asked = filters
        return [self] if self.there else []

    def exec_run(self, command: Sequence[str], environment: dict[str, str]) -> SimpleNamespace:
        self.told = (command, environment)
        return self.result


def in_engine(monkeypatch: pytest.MonkeyPatch, settings: Any, server: FakeGitea, engine: FakeEngine) -> str:
    port, project = server.server_address[1], "mine"
    status = SimpleNamespace(outside=f"http://127.0.0.1:{port}/api/v1")
    context = SimpleNamespace(
        settings=SimpleNamespace(gitea_admin_password=PASSWORD, compose_project_name=project),
        endpoints=SimpleNamespace(status=status),
    )
    assert all(hasattr(settings, name) for name in vars(context.settings))
    monkeypatch.setattr(compose, "connect", lambda: engine)
    return gitea_admin.run(context)


def test_the_container_is_found_by_the_labels_of_compose(monkeypatch, settings, server):
    engine = FakeEngine()
    with pytest.raises(GiteaError, match=r"^B21 "):
        in_engine(monkeypatch, settings, server, engine)
    assert engine.asked == {"label": [f"{PROJECT}=mine", f"{SERVICE}=gitea"]}
    command, environment = engine.told
    assert environment == {"GITEA_PASSWORD": PASSWORD}
    assert not any(PASSWORD in word for word in command)


def test_a_failed_command_is_said_without_the_password(monkeypatch, settings, server):
    engine = FakeEngine(1, f"Command error: {PASSWORD} is too short".encode())
    monkeypatch.setattr(gitea_admin, "LIST", ("true",))
    with pytest.raises(GiteaError, match=r"^B24 .*ended with 1") as caught:
        in_engine(monkeypatch, settings, server, engine)
    assert caught.value.hint == "Run: make logs SERVICE=gitea"
    with pytest.raises(GiteaError, match=r"… is too short") as caught:
        gitea_admin._execute("mine", ("sh", "-c", gitea_admin.CREATE), PASSWORD)
    assert PASSWORD not in str(caught.value)


def test_no_container_is_said(monkeypatch, settings, server):
    with pytest.raises(GiteaError, match=r"^B24 The project mine has no running container gitea") as caught:
        in_engine(monkeypatch, settings, server, FakeEngine(there=False))
    assert caught.value.hint == "Run: make up"
