"""Senders of Git's bodies: slow ones, short ones, large ones and too many."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from workshop import TOKEN

from ci import git_http
from ci.app import create_app
from ci.settings import ServerSettings

OWNER, PASSWORD = "sandbox", "a-password"
URL = "/mlops/model_training.git/git-upload-pack"
PUSH = "/mlops/model_training.git/git-receive-pack"
LOOP = ("loop", TOKEN)


@pytest.fixture
def app(environment: dict[str, str]) -> Flask:
    Path(environment["GIT_ROOT"]).rmdir()
    extra = {"CI_GIT_HTTP": "true", "CI_ADMIN_USER": OWNER, "CI_ADMIN_PASSWORD": PASSWORD}
    app = create_app(ServerSettings.from_env(environment | extra))
    client = app.test_client()
    for path, body in (("orgs", {"username": "mlops"}), ("orgs/mlops/repos", {"name": "model_training"})):
        assert client.post(f"/api/v1/{path}", json=body, auth=(OWNER, PASSWORD)).status_code == 201
    return app


class Resting:
    """A body that has begun and does not go on until the end of the test."""

    def __init__(self) -> None:
        self.begun, self.end = threading.Event(), threading.Event()

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002
        self.begun.set()
        self.end.wait(60)
        return b""


@pytest.fixture
def resting() -> Any:
    body = Resting()
    yield body
    body.end.set()


def send(client: FlaskClient, body: Any, length: int, url: str = URL, **options: Any) -> Any:
    """A request as granian gives it: the body ends where it ends, whatever Content-Length says."""
    stream = body if isinstance(body, Resting) else io.BytesIO(body)
    environ = {"wsgi.input": stream, "wsgi.input_terminated": True, "CONTENT_LENGTH": str(length)}
    return client.post(url, environ_overrides=environ, **options)


def taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all places of git be taken."""
    monkeypatch.setattr(git_http, "PATIENCE", 0.01)
    monkeypatch.setattr(git_http, "working", threading.Semaphore(0))


def test_without_a_place_a_client_is_told_when_to_come_back(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(monkeypatch)
    for answer in (
        send(client, b"0000", 4),
        client.get("/mlops/model_training.git/info/refs?service=git-upload-pack"),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "try again" in answer.json["message"]
    assert git_http.receiving[False].acquire(blocking=False)  # given back, though there was no place
    git_http.receiving[False].release()


def test_waiting_for_places_takes_a_second_at_most() -> None:
    assert 2 * git_http.PATIENCE <= 1


def test_who_still_sends_takes_no_place_from_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch, resting: Resting
) -> None:
    monkeypatch.setattr(git_http, "PATIENCE", 0.01)
    monkeypatch.setattr(git_http, "working", threading.BoundedSemaphore(1))
    anonymous = {True: threading.BoundedSemaphore(1), False: threading.BoundedSemaphore(1)}
    monkeypatch.setattr(git_http, "receiving", anonymous)
    sender = threading.Thread(target=send, args=(app.test_client(), resting, 10))
    sender.start()
    assert resting.begun.wait(20)
    client = app.test_client()
    refs = client.get("/mlops/model_training.git/info/refs?service=git-upload-pack")
    assert refs.status_code == 200
    refs.close()
    assert send(client, b"0000", 4).status_code == 503  # another one without a login
    known = send(client, b"0000", 4, PUSH, auth=LOOP, content_type="application/x-git-receive-pack-request")
    assert known.status_code == 200
    known.close()
    resting.end.set()
    sender.join(20)
    assert not sender.is_alive()


def test_a_body_that_is_cut_off_is_400(client: FlaskClient) -> None:
    answer = send(client, b"0032want", 50)
    assert (answer.status_code, "8 of 50 bytes" in answer.json["message"]) == (400, True)


def test_whoever_reads_sends_little(client: FlaskClient, app: Flask) -> None:
    assert git_http.LIMITS[git_http.READ] == 10_000_000
    much = b"0" * 10_000_001
    assert send(client, much, len(much)).status_code == 413
    chunks = {"wsgi.input": io.BytesIO(much), "wsgi.input_terminated": True}  # nobody says how much comes
    assert client.post(URL, environ_overrides=chunks).status_code == 413
    home = app.extensions["ci"].settings.home
    assert sorted(path.name for path in home.iterdir()) == ["ci.db", "hook.env"]


def test_git_gets_only_the_service_that_was_checked(client: FlaskClient) -> None:
    for login in (None, LOOP):
        query = "service=git-upload-pack&service=git-receive-pack"
        with client.get(f"/mlops/model_training.git/info/refs?{query}", auth=login) as answer:
            assert answer.status_code == 200
            assert answer.data.startswith(b"001e# service=git-upload-pack\n")
