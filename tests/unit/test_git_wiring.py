"""The loop's user, hooks and protection in a small Gitea; each request checked by Gitea's description."""

import base64
import hashlib
import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.clients.gitea import BRANCHES, GiteaError
from sandbox.settings import REPOSITORIES
from sandbox.steps import git_wiring
from sandbox.steps.git_wiring import Wiring

WIRING = Wiring("http://jenkins:8080/generic-webhook-trigger/invoke", "owner's", "bot's", "signs")
FIRST = REPOSITORIES[0]
PARTS = git_wiring.RIGHTS + git_wiring.HOOKS
Answer = tuple[int, Any]


def wire(url: str, wiring: Wiring) -> str:
    return git_wiring.prepare(url, wiring, PARTS)


class FakeGitea(ThreadingHTTPServer):
    """Users with passwords, and what the three repositories have; hooks are shown without their secret."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.passwords = {"sandbox": WIRING.admin_password}
        self.rights: dict[str, Any] = {}
        self.writers: dict[str, str] = {}
        self.hooks: dict[str, list[dict[str, Any]]] = {name: [] for name in REPOSITORIES}
        self.rules: dict[str, list[dict[str, Any]]] = {name: [] for name in REPOSITORIES}
        self.seen: list[tuple[str, str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/v1"

    def writes(self) -> list[tuple[str, str, Any]]:
        return [request for request in self.seen if request[0] != "GET"]

    def answer(self, user: str, method: str, path: str, body: Any) -> Answer:
        if path == "/user":
            return 200, {"login": user}
        if user != "sandbox":
            return 403, {}
        kind, *rest = path.strip("/").split("/")
        return (
            self.of_users(method, rest, body) if kind != "repos" else self.of_repository(method, rest, body)
        )

    def of_users(self, method: str, rest: list[str], body: Any) -> Answer:
        if method == "GET":
            return (200, {}) if rest[-1] in self.passwords else (404, {})
        name = body.get("username", rest[-1])
        self.passwords[name] = body["password"]
        self.rights = body
        return (201 if method == "POST" else 200), {}

    def of_repository(self, method: str, rest: list[str], body: Any) -> Answer:
        owner, name, collection, *item = rest
        assert owner == "mlops"
        if collection == "collaborators":
            if method == "PUT":
                self.writers[f"{name}/{item[0]}"] = body["permission"]
                return 204, None
            assert item[1:] == ["permission"]
            return 200, {"permission": self.writers.get(f"{name}/{item[0]}", "none")}
        rows = self.hooks[name] if collection == "hooks" else self.rules[name]
        if method == "POST":
            rows.append({**body, "id": len(rows) + 1})
        if method == "PATCH":
            next(row for row in rows if row["id"] == int(item[0])).update(body)
        if method == "DELETE":
            rows[:] = [row for row in rows if row["id"] != int(item[0])]
            return 204, None
        return (200 if method != "POST" else 201), [hidden(row) for row in rows]


def hidden(row: dict[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in row.get("config", {}).items() if key != "secret"}
    return {**row, "config": config} if config else row


class Handler(BaseHTTPRequestHandler):
    server: FakeGitea

    def do_GET(self) -> None:
        given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        user, _, password = given.partition(":")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        path = self.path.removeprefix("/api/v1").partition("?")[0]
        self.server.seen.append((self.command, path, body))
        right = self.server.passwords.get(user) == password
        status, shown = self.server.answer(user, self.command, path, body) if right else (401, {})
        self.send_response(status)
        self.end_headers()
        if status != 204:
            self.wfile.write(json.dumps(shown).encode())

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(serve) -> FakeGitea:
    return serve(FakeGitea())


def test_the_first_time_everything_is_made(server):
    said = wire(server.url, WIRING)
    assert said.startswith("user loop, loop in ")
    assert [len(rows) for rows in (*server.hooks.values(), *server.rules.values())] == [1] * 6
    assert set(server.writers.values()) == {"write"}
    assert server.rights["restricted"]
    assert not server.rights["must_change_password"]


def test_a_second_time_writes_nothing(server):
    wire(server.url, WIRING)
    server.seen.clear()
    assert wire(server.url, WIRING) == ""
    assert server.writes() == []


def test_every_request_is_one_that_gitea_describes(server, operation):
    wire(server.url, WIRING)
    server.hooks[FIRST].append({**server.hooks[FIRST][0], "id": 2})
    wire(server.url, replace(WIRING, loop_password="new", webhook_secret="new"))
    assert {operation(request) for request in server.seen} == {
        *("userGetCurrent", "userGet", "adminCreateUser", "adminEditUser"),
        *("repoGetRepoPermissions", "repoAddCollaborator"),
        *("repoListHooks", "repoCreateHook", "repoEditHook", "repoDeleteHook"),
        *("repoListBranchProtection", "repoCreateBranchProtection"),
    }


def test_a_hook_is_signed_and_gets_branches_but_no_tags(server):
    wire(server.url, WIRING)
    hook = server.hooks[FIRST][0]
    assert hook["config"]["secret"] == WIRING.webhook_secret
    assert (hook["events"], hook["active"], hook["branch_filter"]) == (["push"], True, BRANCHES)
    # Gitea takes these as no filter at all: tags would come through.
    assert hook["branch_filter"] not in ("", "*", "**")
    address, _, remembered = hook["config"]["url"].partition("#")
    assert address == f"http://jenkins:8080/generic-webhook-trigger/invoke?token={FIRST}"
    assert remembered == f"secret-{hashlib.sha256(b'signs').hexdigest()[:12]}"


def test_another_webhook_secret_renews_the_hooks_in_place(server):
    wire(server.url, WIRING)
    changed = replace(WIRING, webhook_secret="other")
    said = wire(server.url, changed)
    assert said == ", ".join(f"hook of {name} renewed" for name in REPOSITORIES)
    assert [row["config"]["secret"] for rows in server.hooks.values() for row in rows] == ["other"] * 3
    assert wire(server.url, changed) == ""


@pytest.mark.parametrize(
    "change", [{"active": False}, {"branch_filter": "*"}, {"events": ["push", "create"]}]
)
def test_an_altered_hook_is_put_right(server, change):
    wire(server.url, WIRING)
    server.hooks[FIRST][0].update(change)
    assert wire(server.url, WIRING) == f"hook of {FIRST} renewed"


def test_of_two_hooks_of_ours_one_is_left(server):
    wire(server.url, WIRING)
    theirs = {"id": 3, "config": {"url": "http://chat/"}}
    server.hooks[FIRST] += [{**server.hooks[FIRST][0], "id": 2}, theirs]
    assert wire(server.url, WIRING) == f"hook of {FIRST} renewed"
    assert [hook["id"] for hook in server.hooks[FIRST]] == [1, 3]
    assert wire(server.url, WIRING) == ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("read", "write", f"loop in {FIRST}"),
        ("none", "write", f"loop in {FIRST}"),
        ("write", "write", ""),
        ("admin", "admin", ""),
        ("owner", "owner", ""),
    ],
)
def test_a_right_that_is_too_small_is_put_right(server, before, after, said):
    wire(server.url, WIRING)
    server.writers[f"{FIRST}/loop"] = before
    assert wire(server.url, WIRING) == said
    assert server.writers[f"{FIRST}/loop"] == after


def test_a_hook_of_somebody_else_stays(server):
    theirs = {"id": 1, "config": {"url": "http://chat/", "content_type": "json"}}
    server.hooks[FIRST].append(dict(theirs))
    wire(server.url, WIRING)
    assert server.hooks[FIRST][0] == theirs
    assert len(server.hooks[FIRST]) == 2


def test_another_password_of_the_user_is_given_without_the_old_one(server):
    wire(server.url, WIRING)
    changed = replace(WIRING, loop_password="another")
    assert wire(server.url, changed) == "password of loop"
    assert server.passwords["loop"] == "another"
    assert not server.rights["admin"]
    assert wire(server.url, changed) == ""


def test_main_is_pushed_to_by_the_owner_alone_and_needs_ci(server):
    wire(server.url, WIRING)
    rule = server.rules[FIRST][0]
    assert rule["rule_name"] == "main"
    assert rule["enable_push"]
    assert rule["enable_push_whitelist"]
    assert rule["push_whitelist_usernames"] == ["sandbox"]
    assert rule["status_check_contexts"] == ["ci"]
    assert rule["enable_status_check"]


def test_a_changed_protection_stays(server):
    wire(server.url, WIRING)
    server.rules[FIRST][0]["enable_push"] = False
    assert wire(server.url, WIRING) == ""
    assert not server.rules[FIRST][0]["enable_push"]


def test_a_wrong_password_of_the_owner_is_said_and_no_secret_is_shown(server):
    wrong = replace(WIRING, admin_password="wrong")
    with pytest.raises(GiteaError, match=r"^B21 ") as caught:
        wire(server.url, wrong)
    assert "wrong" not in str(caught.value)
    assert "wrong" not in repr(wrong)
    assert "signs" not in repr(wrong)
