"""Each link as the doctor looks at it, on small servers that can be broken; Gitea's by its description."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox import compose
from sandbox.clients.gitea import Gitea, GiteaError
from sandbox.clients.statuses import Statuses
from sandbox.compose import PROJECT, SERVICE
from sandbox.doctor import builds, catching_up, containers, git, registry
from sandbox.doctor.check import Absent, Broken, Case
from sandbox.endpoints import docker_endpoints, embedded_endpoints
from sandbox.errors import ServiceError
from sandbox.git import git as run_git
from sandbox.http import ApiError
from sandbox.settings import REPOSITORIES, Settings
from sandbox.steps import bare_repositories

FIRST = REPOSITORIES[0]
HEAD = "c" * 40
Answer = tuple[int, Any]


class Servers(ThreadingHTTPServer):
    """Gitea, Jenkins and a registry on one port, all as they should be; a test breaks what it is about."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        ports = ("gitea_port", "ci_port", "registry_port")
        self.settings = Settings(**vars(settings) | dict.fromkeys(ports, self.server_address[1]))
        self.endpoints = docker_endpoints(self.settings)
        self.passwords = {"sandbox": self.settings.gitea_admin_password, "loop": self.settings.ci_token}
        self.admins = {"sandbox"}
        self.rights = {name: {"admin": False, "push": True, "pull": True} for name in REPOSITORIES}
        self.hooks: dict[str, list[dict[str, Any]]] = {name: [] for name in REPOSITORIES}
        self.statuses = {name: ["pending", "failure"] for name in REPOSITORIES}
        self.since = datetime.now(UTC)  # the statuses are of then
        self.logs: dict[int, str] = {}  # of missed-pushes, by number
        self.jobs: dict[str, Any] = {
            name: {"buildable": True, "lastBuild": {"number": 7, "result": "SUCCESS"}}
            for name in REPOSITORIES
        }
        self.agents = [
            {"displayName": "Built-In Node", "offline": False},
            {"displayName": "jenkins-agent", "offline": False, "offlineCauseReason": ""},
        ]
        self.webhook_secret = self.settings.ci_webhook_secret
        self.delivered: Callable[[str, dict[str, Any]], Answer] | None = None
        self.uploads: set[str] = set()
        self.full, self.pushed = False, list[bytes]()
        self.blob, self.base_tags = b"{}", ["sandbox"]
        self.seen: list[tuple[str, str, Any]] = []

    def case(self) -> Case:
        context = SimpleNamespace(
            settings=self.settings,
            endpoints=self.endpoints,
            statuses=Statuses(self.endpoints.status.outside),
        )
        return Case(lambda: context)

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        path = urlsplit(target).path
        if path.startswith("/api/v1"):
            return self.of_gitea(method, path.removeprefix("/api/v1"), headers.get("Authorization"), body)
        if path.startswith("/v2/"):
            return self.of_registry(method, target, body)
        if path == "/generic-webhook-trigger/invoke":
            return self.of_trigger(parse_qs(urlsplit(target).query)["token"][0], headers, body)
        if path == "/computer/api/json":
            return 200, {"computer": self.agents}
        _, _, name, *rest = path.split("/")
        if rest[-1:] == ["consoleText"]:
            return 200, self.logs[int(rest[0])].encode()
        return (200, self.jobs[name]) if name in self.jobs else (404, {})

    def of_gitea(self, method: str, path: str, login: str | None, body: bytes) -> Answer:
        self.seen.append((method, path, json.loads(body or b"null")))
        if "/commits/" in path or "/statuses/" in path:
            return self.of_statuses(path.split("/")[3], path.endswith("/status"))
        user, _, password = base64.b64decode((login or "").removeprefix("Basic ")).decode().partition(":")
        if self.passwords.get(user) != password:
            return 401, {}
        if path == "/user":
            return 200, {"login": user, "is_admin": user in self.admins}
        name, *rest = path.split("/")[3:]
        if not rest:
            return (200, {"permissions": self.rights[name]}) if name in self.rights else (404, {})
        if method == "POST":
            self.hooks[name].append({**json.loads(body), "id": 1})
            return 201, {}
        return 200, self.hooks[name]

    def of_statuses(self, name: str, combined: bool) -> Answer:
        common = {"context": "ci", "created_at": self.since.isoformat(timespec="seconds")}
        rows = [{"id": n, "status": state, **common} for n, state in enumerate(self.statuses[name], 1)]
        # Gitea names no commit where it has no status.
        return 200, {"sha": HEAD if rows else ""} if combined else rows

    def of_trigger(self, name: str, headers: Any, body: bytes) -> Answer:
        wanted = hmac.new(self.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        if headers["X-Gitea-Signature"] != wanted:
            return 403, None
        if name not in self.jobs:
            return 404, {"jobs": None, "message": "Did not find any jobs"}
        push = json.loads(body)
        if self.delivered:
            return self.delivered(name, push)
        built = push["ref"].startswith("refs/heads/")
        return 200, {"jobs": {name: {"triggered": built, "id": 0}}, "message": "Triggered jobs."}

    def of_registry(self, method: str, target: str, body: bytes) -> Answer:
        path = urlsplit(target).path
        digest = f"sha256:{hashlib.sha256(b'{}').hexdigest()}"
        if path.endswith("/blobs/uploads/"):
            self.uploads.add("/v2/base/python/blobs/uploads/1")
            return 202, None
        if path in self.uploads:
            given = parse_qs(urlsplit(target).query)
            assert given["_state"] == ["s"]
            if method == "PUT" and self.full:
                return 500, None
            assert given.get("digest", [digest]) == [digest]
            self.uploads.remove(path)
            self.pushed += [body] if method == "PUT" else []
            return (201 if method == "PUT" else 204), None
        if path.endswith("/tags/list"):
            return (200, {"tags": self.base_tags}) if self.base_tags else (404, {})
        if path.endswith("/manifests/sandbox"):
            return 200, {"manifests": [{"digest": "sha256:one"}]}
        if path.endswith("/manifests/sha256:one"):
            return 200, {"config": {"digest": digest}}
        return (200, self.blob) if path.endswith(f"/blobs/{digest}") else (404, {})


class Handler(BaseHTTPRequestHandler):
    server: Servers

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, shown = self.server.answer(self.command, self.path, self.headers, body)
        self.send_response(status)
        if self.path.startswith("/v2/") and status == 202:  # the host as machines inside see it
            self.send_header("Location", "http://registry:5000/v2/base/python/blobs/uploads/1?_state=s")
        self.end_headers()
        if status != 204:
            self.wfile.write(shown if isinstance(shown, bytes) else json.dumps(shown).encode())

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def servers(serve, settings) -> Servers:
    return serve(Servers(settings))


@pytest.fixture
def hooked(servers) -> Servers:
    """With the hooks that bootstrap makes."""
    gitea = Gitea(servers.endpoints.status.outside, servers.settings.gitea_admin_password)
    for name in REPOSITORIES:
        gitea.put_push_hook(
            "mlops", name, f"{servers.endpoints.hook_url}?token={name}", servers.settings.ci_webhook_secret
        )
    servers.seen.clear()
    return servers


def cause(look: Callable[[Case], str], servers: Servers, kind: type[Exception] = Broken) -> str:
    with pytest.raises(kind) as caught:
        look(servers.case())
    return str(caught.value)


def test_every_link_of_a_sandbox_that_is_whole_holds(hooked):
    looks = (git.administrator, git.loop_user, git.hooks, registry.push, registry.pull)
    looks += (builds.signed_push, builds.bad_signature, builds.jobs, builds.statuses, builds.agent)
    said = [look(hooked.case()) for look in looks]
    assert all(said)
    assert f"{FIRST} #7 SUCCESS" in said[7]
    assert f"{FIRST} failure" in said[8]


def test_requests_are_those_that_gitea_describes_and_none_writes(hooked, operation):
    for look in (git.administrator, git.loop_user, git.hooks, builds.statuses):
        look(hooked.case())
    assert {operation(request) for request in hooked.seen} == {
        *("userGetCurrent", "repoGet", "repoListHooks"),
        *("repoGetCombinedStatusByRef", "repoListStatuses"),
    }
    assert {method for method, _, _ in hooked.seen} == {"GET"}


def test_a_wrong_password_is_said_and_not_shown(servers):
    servers.passwords = {"sandbox": "other", "loop": "other"}
    for look, user, setting in (
        (git.administrator, "sandbox", "gitea_admin_password"),
        (git.loop_user, "loop", "ci_token"),
    ):
        said = cause(look, servers, GiteaError)
        assert f"refuses the user {user} " in said
        assert getattr(servers.settings, setting) not in said


def test_an_administrator_without_that_right_is_said(servers):
    servers.admins = set()
    with pytest.raises(Broken, match="no administrator") as caught:
        git.administrator(servers.case())
    assert "Site Administration" in caught.value.hint


def test_a_loop_user_with_too_little_or_too_much_is_said(servers):
    servers.rights[FIRST]["push"] = False
    assert f"may not write to {FIRST}" in cause(git.loop_user, servers)
    del servers.rights[FIRST]
    assert f"may not write to {FIRST}" in cause(git.loop_user, servers)
    servers.rights[FIRST] = {"admin": True, "push": True}
    assert f"administrator of {FIRST}" in cause(git.loop_user, servers)
    servers.admins.add("loop")
    assert "administrator of Gitea" in cause(git.loop_user, servers)


def test_a_server_without_users_is_none_of_the_doctors_business(servers, monkeypatch):
    monkeypatch.setattr(servers, "of_gitea", lambda *_: (404, {}))
    assert "services/ci" in cause(git.administrator, servers, Absent)


def test_a_missing_hook_is_said(hooked):
    hooked.hooks[FIRST] = [{"config": {"url": "http://chat/"}}]
    assert cause(git.hooks, hooked) == f"{FIRST}: there is no hook"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"active": False}, "active"),
        ({"branch_filter": "*"}, "branch_filter"),
        ({"events": ["push", "create"]}, "events"),
    ],
)
def test_an_altered_hook_is_said(hooked, change, said):
    hooked.hooks[FIRST][0].update(change)
    assert cause(git.hooks, hooked) == f"{FIRST}: its {said} must be another"


def test_two_hooks_of_ours_are_said(hooked):
    hooked.hooks[FIRST] *= 2
    assert cause(git.hooks, hooked) == f"{FIRST}: there are 2 hooks to Jenkins: each push is built as often"


def test_a_hook_with_another_secret_is_said(hooked):
    hooked.settings = Settings(**vars(hooked.settings) | {"ci_webhook_secret": "rotated"})
    assert cause(git.hooks, hooked).count("its secret must be another") == len(REPOSITORIES)


def test_ci_with_another_secret_is_said(servers):
    servers.webhook_secret = "another"
    assert "answered 403" in cause(builds.signed_push, servers)


def test_a_push_that_no_job_takes_is_said(servers):
    del servers.jobs[FIRST]
    assert cause(builds.signed_push, servers) == f"no job takes the pushes of {FIRST} (answered 404)"


def test_a_tag_that_is_built_is_said(servers):
    servers.delivered = lambda name, _: (200, {"jobs": {name: {"triggered": True}}})
    assert "queued a build" in cause(builds.signed_push, servers)


@pytest.mark.parametrize("answer", [(200, {"jobs": None}), (200, []), (200, b"<html>"), (500, {})])
def test_an_answer_of_somebody_else_is_said(servers, answer):
    servers.delivered = lambda *_: answer
    assert "names no job" in cause(builds.signed_push, servers)


def test_what_is_delivered_can_never_be_a_build(servers):
    pushes: list[dict[str, Any]] = []
    servers.delivered = lambda name, push: pushes.append(push) or (200, {"jobs": {name: {"id": 0}}})
    builds.signed_push(servers.case())
    assert [push["repository"]["name"] for push in pushes] == list(REPOSITORIES)
    assert {push["ref"] for push in pushes} == {"refs/tags/doctor"}


def test_a_server_that_takes_any_signature_is_said(servers, monkeypatch):
    monkeypatch.setattr(servers, "of_trigger", lambda *_: (200, {"jobs": {}}))
    assert "answered 200" in cause(builds.bad_signature, servers)


def test_jobs_that_are_missing_disabled_or_never_built_are_said(servers):
    servers.jobs[FIRST] = {"buildable": True, "lastBuild": None}
    assert "never built" in cause(builds.jobs, servers)
    servers.jobs[FIRST] = {"buildable": False, "lastBuild": None}
    assert "disabled" in cause(builds.jobs, servers)
    del servers.jobs[FIRST]
    assert f"no job {FIRST}" in cause(builds.jobs, servers)


def test_a_running_build_and_services_ci_are_understood(servers):
    servers.jobs[FIRST] = {"lastBuild": {"number": 1, "result": None}}
    assert builds.jobs(servers.case()).startswith(f"{FIRST} #1 is building, ")


def test_a_head_that_ci_has_never_heard_of_is_said(servers):
    servers.statuses[FIRST] = []
    assert f"head of {FIRST} has no status ci" in cause(builds.statuses, servers)


def test_a_head_that_is_pending_for_too_long_is_said(servers):
    servers.statuses[FIRST] = ["pending"]
    servers.since -= builds.STALE - timedelta(minutes=1)
    assert f"{FIRST} pending" in builds.statuses(servers.case())
    servers.since -= timedelta(minutes=2)
    said = f"the head of {FIRST} is pending for more than 75 minutes: nobody builds it"
    assert cause(builds.statuses, servers) == said
    servers.statuses[FIRST] = ["pending", "failure"]
    assert f"{FIRST} failure" in builds.statuses(servers.case())


QUIET = "branch heads looked at: 4, missed: 0, sent again: 0\n"
BUSY = "[2026-11-21T15:00:00.000Z] branch heads looked at: 4, missed: 2, sent again: 2\nFinished: SUCCESS\n"


def ran(servers: Servers, *builds: tuple[float, str | None, str]) -> None:
    """Let missed-pushes have had these builds, the newest first: minutes since its start, result, log."""
    rows = []
    for number, (minutes, result, log) in zip(range(len(builds), 0, -1), builds, strict=True):
        began = datetime.now(UTC) - timedelta(minutes=minutes)
        rows.append({"number": number, "result": result, "timestamp": int(began.timestamp() * 1000)})
        servers.logs[number] = log
    servers.jobs["missed-pushes"] = {"buildable": True, "builds": rows}


def test_the_job_of_missed_pushes_that_works_and_has_nothing_to_do_holds(servers):
    older = ((10, "FAILURE", "ci: Gitea is away"), (16, "SUCCESS", BUSY))
    ran(servers, (0, None, ""), (5, "SUCCESS", QUIET), *older)
    assert catching_up.missed_pushes(servers.case()) == "#3 SUCCESS; nothing was sent again lately"


def test_a_job_of_missed_pushes_that_does_not_run_is_said(servers):
    assert cause(catching_up.missed_pushes, servers) == "there is no job missed-pushes"
    ran(servers, (0, None, ""), (16, "SUCCESS", QUIET))
    assert cause(catching_up.missed_pushes, servers) == "missed-pushes has not ended once within 15 minutes"
    ran(servers, (5, "SUCCESS", QUIET))
    servers.jobs["missed-pushes"]["buildable"] = False
    with pytest.raises(Broken, match="disabled") as caught:
        catching_up.missed_pushes(servers.case())
    assert caught.value.hint == f"Enable it: {servers.endpoints.ci.outside}/job/missed-pushes/"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("+ ci catch-up\n[15:00Z] ci: model_training: it is archived\n", "model_training: it is archived"),
        ("Cancelling nested steps due to timeout\n", "its log has no word of ci catch-up"),
    ],
)
def test_a_job_of_missed_pushes_that_fails_says_why(servers, log, said):
    ran(servers, (1, "FAILURE", QUIET + log), (6, "SUCCESS", QUIET))
    assert cause(catching_up.missed_pushes, servers) == f"missed-pushes #2 ended FAILURE: {said}"


def test_deliveries_that_got_lost_are_said_with_where_gitea_tells_why(servers):
    ran(servers, (1, "SUCCESS", QUIET), (6, "SUCCESS", BUSY), (11, "SUCCESS", BUSY), (16, "SUCCESS", BUSY))
    with pytest.raises(Broken, match="had to send 4 pushes again") as caught:
        catching_up.missed_pushes(servers.case())
    assert caught.value.hint.endswith("make logs SERVICE=gitea")


def test_what_ci_catch_up_says_is_what_the_doctor_reads(root):
    """The two know each other by these words alone."""
    text = (root / "services/ci/ci/catch_up.py").read_text()
    assert "missed: {search.missed}, sent again: {search.sent}" in text
    assert f"\nSTALE = timedelta(minutes={builds.STALE.seconds // 60})" in text
    assert 'print_error(f"ci: {error}")' in (root / "services/ci/ci/cli.py").read_text()
    assert f"pipelineJob('{catching_up.JOB}')" in (root / "jenkins/jobs/missed_pushes.groovy").read_text()


def test_an_agent_that_is_away_is_said_with_jenkins_reason(servers):
    servers.agents[1] |= {"offline": True, "offlineCauseReason": "Connection was broken"}
    assert cause(builds.agent, servers) == "jenkins-agent is offline: Connection was broken"
    servers.agents.pop()
    assert "knows no agent" in cause(builds.agent, servers)


def test_an_upload_leaves_nothing_whatever_happens(servers):
    registry.push(servers.case())
    assert (servers.uploads, servers.pushed) == (set(), [b"{}"])
    servers.full = True
    assert "answered 500" in cause(registry.push, servers, ApiError)
    assert servers.uploads == set()


@pytest.mark.parametrize("tags", [[], ["other"]])
def test_a_base_image_that_is_away_is_said(servers, tags):
    servers.base_tags = tags
    assert "no base/python:sandbox" in cause(registry.pull, servers)


def test_a_damaged_blob_is_said(servers):
    servers.blob = b"{ }"
    assert "is not what its name says" in cause(registry.pull, servers)


@pytest.fixture
def bare(settings, tmp_path) -> Case:
    """The bare repositories that bootstrap makes."""
    driver = SimpleNamespace(state=tmp_path)
    context = SimpleNamespace(endpoints=embedded_endpoints(settings, tmp_path), driver=driver)
    bare_repositories.run(context)
    return Case(lambda: context)


def test_bare_repositories_that_bootstrap_made_hold(bare):
    assert FIRST in git.bare_hooks(bare)


def set_path(*words: str) -> Callable[[Path], object]:
    return lambda hook: run_git("config", *words, folder=hook.parents[1])


@pytest.mark.parametrize("name", REPOSITORIES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda hook: hook.unlink(), "not there or not executable"),
        (lambda hook: hook.chmod(0o644), "not there or not executable"),
        (lambda hook: hook.write_text("#!/bin/sh\n"), "is another program"),
        (set_path("core.hooksPath", "/x"), "hooksPath is /x, not"),
        (set_path("--unset", "core.hooksPath"), "is not set, not"),
    ],
)
def test_a_hook_that_is_not_as_bootstrap_made_it_is_said(bare, tmp_path, name, change, said):
    change(tmp_path / "git" / "mlops" / f"{name}.git" / "hooks" / "post-receive")
    with pytest.raises(Broken, match=f"^{name}: .*{said}"):
        git.bare_hooks(bare)


class FakeEngine:
    """The container of one service, or none; remembers what it was told to execute."""

    def __init__(self, code: int = 0, said: bytes = b"29.1", *, there: bool = True) -> None:
        self.containers = self
        self.result = SimpleNamespace(exit_code=code, output=said)
        self.there = there
        self.asked: list[Any] = []
        self.told: list[tuple[list[str], dict[str, str]]] = []

    def list(self, filters: dict[str, Any]) -> list[Any]:
        self.asked.append(filters)
        return [self] if self.there else []

    def exec_run(self, command: Any, environment: dict[str, str]) -> SimpleNamespace:
        self.told.append((command, environment))
        return self.result


def inside(monkeypatch: pytest.MonkeyPatch, servers: Servers, engine: FakeEngine) -> Case:
    monkeypatch.setattr(compose, "connect", lambda: engine)
    return servers.case()


def test_the_clone_has_the_builds_login_in_no_list_of_processes(monkeypatch, servers):
    engine = FakeEngine()
    containers.clone(inside(monkeypatch, servers, engine))
    token = servers.settings.ci_token
    secrets = (token, base64.b64encode(f"loop:{token}".encode()).decode())
    assert len(engine.told) == len(REPOSITORIES)
    for (command, environment), name in zip(engine.told, REPOSITORIES, strict=True):
        assert f"http://gitea:3000/mlops/{name}.git" in command
        assert not any(secret in word for word in command for secret in secrets)
        assert environment["GIT_CONFIG_VALUE_0"] == f"Authorization: Basic {secrets[1]}"
    project = servers.settings.compose_project_name
    assert engine.asked[0] == {"label": [f"{PROJECT}={project}", f"{SERVICE}=jenkins-agent"]}


def test_commands_inside_have_a_time_limit_and_say_what_they_saw(monkeypatch, servers):
    engine = FakeEngine()
    assert containers.engine(inside(monkeypatch, servers, engine)).startswith("Docker 29.1 ")
    assert containers.reach_jenkins(inside(monkeypatch, servers, engine)).startswith("http://jenkins:8080/")
    assert {tuple(command[:2]) for command, _ in engine.told} == {("timeout", "10")}


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (FakeEngine(128, b"fatal: could not resolve host"), "ended with 128: fatal: could not resolve host"),
        (FakeEngine(124, b""), "had no answer within 10 s"),
        (FakeEngine(143, b""), "had no answer within 10 s"),
        (FakeEngine(there=False), "no running container jenkins-agent"),
    ],
)
def test_a_command_that_fails_inside_is_said(monkeypatch, servers, engine, said):
    case = inside(monkeypatch, servers, engine)
    with pytest.raises(ServiceError, match=said):
        containers.clone(case)


def test_the_last_words_of_a_command_are_cut_after_secrets_are_hidden(monkeypatch, servers):
    token = servers.settings.ci_token
    said = token + "x" * (containers.LAST_WORDS - 1)
    with pytest.raises(Broken) as caught:
        containers.engine(inside(monkeypatch, servers, FakeEngine(1, said.encode())))
    assert str(caught.value).endswith(": …" + "x" * (containers.LAST_WORDS - 1))


def test_the_engine_of_builds_pulls_by_the_name_that_builds_use(monkeypatch, servers):
    engine = FakeEngine()
    containers.pull(inside(monkeypatch, servers, engine))
    ((command, _),) = engine.told
    assert command[2:] == ["docker", "pull", "--quiet", "registry:5000/base/python:sandbox"]
    assert engine.asked[0]["label"][1] == f"{SERVICE}=jenkins-agent"
