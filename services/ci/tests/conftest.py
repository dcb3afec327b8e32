"""Fixtures of all tests."""

from __future__ import annotations

import dataclasses
import functools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import Check, check_answer, description_file, read_description
from fakeserver import FakeServer
from flask import Flask
from flask.testing import FlaskClient
from workshop import ORGANISATION, SECRET, TOKEN, Repository, Server

from ci.app import Ci, create_app
from ci.settings import ServerSettings


@pytest.fixture(autouse=True)
def git_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in os.environ if key.startswith("GIT_") and key != "GIT_SSL_CAINFO"]:
        monkeypatch.delenv(key)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[[str], Repository]:
    return lambda name: Repository(tmp_path, name)


@pytest.fixture
def repository(make_repository: Callable[[str], Repository]) -> Repository:
    return make_repository("model_training")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "git").mkdir(exist_ok=True)
    loop_env = tmp_path / "loop.env"
    loop_env.write_text(
        f"ORGANISATION={ORGANISATION}\nSTATUS_USER=loop\nSTATUS_TOKEN={TOKEN}\nDATA_URL='file:///data here'\n"
    )
    return {
        "CI_HOME": str(tmp_path / "home"),
        "CI_PORT": str(port),
        "CI_URL": f"http://127.0.0.1:{port}",
        "CI_WEB_URL": f"http://localhost:{port}",
        "CI_WEBHOOK_SECRET": SECRET,
        "CI_TOKEN": TOKEN,
        "GIT_ROOT": str(tmp_path / "git"),
        "ORGANISATION": ORGANISATION,
        "LOOP_ENV": str(loop_env),
        "CI_KEEP_BUILDS": "20",
        "CI_KEEP_DAYS": "90",
        "KEEP_ENVIRONMENTS": "3",
        "CI_STAGE_TIMEOUT": "60",
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "SECRET_OF_THE_SERVER": "must not reach a build",
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> ServerSettings:
    return ServerSettings.from_env(environment)


@pytest.fixture
def app(settings: ServerSettings) -> Flask:
    return create_app(settings)


@pytest.fixture
def ci(app: Flask) -> Ci:
    return app.extensions["ci"]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def start_queue(settings: ServerSettings) -> Iterator[Callable[..., Ci]]:
    """Starts a queue in this process, ended with the test; settings can be changed."""
    started: list[Ci] = []

    def start(**changes: Any) -> Ci:
        found: Ci = create_app(dataclasses.replace(settings, **changes)).extensions["ci"]
        found.queue.start()
        started.append(found)
        return found

    yield start
    for found in started:
        found.queue.stop()


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Server]:
    server = Server(environment)
    yield server
    if server.process and server.process.poll() is None:
        server.end()


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    fake = FakeServer()
    fake.thread.start()
    yield fake
    fake.server.shutdown()
    fake.thread.join()
    fake.server.server_close()


@pytest.fixture(scope="session")
def description() -> dict[str, Any]:
    path = description_file()
    if not path.is_file():
        pytest.skip("Gitea's API description is not here; name it in GITEA_API_DESCRIPTION")
    return read_description(path)


@pytest.fixture
def check(description: dict[str, Any]) -> Check:
    """Checks an answer: the status code is described, the body fits the schema."""
    return functools.partial(check_answer, description)
