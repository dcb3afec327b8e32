"""The organisation and repositories: a small Gitea, and each request checked by Gitea's description."""

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.clients.gitea import Gitea, GiteaAway, GiteaError
from sandbox.settings import REPOSITORIES
from sandbox.steps import repositories

PASSWORD = "näive:pass word"
ALL = f"organisation mlops, {', '.join(REPOSITORIES)}"
Request = tuple[str, str, Any]  # method, path below the API's root, JSON body


class FakeGitea(ThreadingHTTPServer):
    """Keeps what is posted and answers 404 for everything else. `refuse` is a status for every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.known: set[str] = set()
        self.seen: list[Request] = []
        self.refuse = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/v1"

    def answer(self, method: str, path: str, body: Any) -> int:
        self.seen.append((method, path, body))
        if self.refuse:
            return self.refuse
        if method == "GET":
            return 200 if path in self.known else 404
        parent, _, kind = path.rpartition("/")
        if kind == "repos" and parent not in self.known:
            return 404
        owner = parent.replace("/orgs", "/repos")
        made = f"{owner}/{body['name']}" if kind == "repos" else f"/orgs/{body['username']}"
        status = 422 if made in self.known else 201
        self.known.add(made)
        return status


class Handler(BaseHTTPRequestHandler):
    server: FakeGitea

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"sandbox:{PASSWORD}".encode()).decode()
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        right = self.headers["Authorization"] == f"Basic {wanted}"
        path = self.path.removeprefix("/api/v1")
        self.send_response(self.server.answer(self.command, path, body) if right else 401)
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(serve) -> FakeGitea:
    return serve(FakeGitea())


def test_every_request_is_one_that_gitea_describes(server, operation):
    repositories.prepare(server.url, PASSWORD)
    operations = {operation(request) for request in server.seen}
    assert operations == {"orgGet", "orgCreate", "repoGet", "createOrgRepo"}


@pytest.mark.parametrize("request_", [("POST", "/orgs", {"name": "mlops"}), ("POST", "/orgs/mlops", {})])
def test_the_check_notices_a_request_that_gitea_does_not_know(operation, request_):
    with pytest.raises(Exception, match=r"required|not allowed|Additional|described 0 times"):
        operation(request_)


def test_everything_is_made_in_the_order_of_the_first_pushes(server):
    assert repositories.prepare(server.url, PASSWORD) == ALL
    posted = [body for method, _, body in server.seen if method == "POST"]
    assert [body.get("name") for body in posted] == [None, *REPOSITORIES]
    assert all(body["default_branch"] == "main" and not body["auto_init"] for body in posted[1:])


def test_a_second_time_posts_nothing(server):
    repositories.prepare(server.url, PASSWORD)
    server.seen.clear()
    assert repositories.prepare(server.url, PASSWORD) == ""
    assert {method for method, _, _ in server.seen} == {"GET"}


def test_what_is_there_stays_and_what_is_missing_is_made(server):
    server.known |= {"/orgs/mlops", "/repos/mlops/airflow_dags"}
    said = repositories.prepare(server.url, PASSWORD)
    assert said == "data_preprocessing, model_training"


def test_a_wrong_password_is_said_at_once(server):
    with pytest.raises(GiteaError, match=r"^B21 .*GITEA_ADMIN_PASSWORD") as caught:
        repositories.prepare(server.url, "other")
    assert "make up" in caught.value.hint
    assert "other" not in str(caught.value)


@pytest.mark.parametrize(("status", "code"), [(403, "B23"), (500, "B24"), (422, "B24")])
def test_a_refusal_has_its_code(server, status, code):
    server.refuse = status
    with pytest.raises(GiteaError, match=rf"^{code} ") as caught:
        repositories.prepare(server.url, PASSWORD)
    assert caught.value.status == status


@pytest.mark.parametrize("status", [502, 503])
def test_a_server_that_is_starting_is_told_apart(server, status):
    server.refuse = status
    with pytest.raises(GiteaAway, match=r"^B22 "):
        repositories.prepare(server.url, PASSWORD, patience=0)


def test_no_server_is_told_apart(server):
    url = server.url
    server.server_close()
    with pytest.raises(GiteaAway, match=r"^B22 "):
        Gitea(url, PASSWORD).put_organisation("mlops")
