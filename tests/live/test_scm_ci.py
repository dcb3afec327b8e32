"""Git and CI, as people and Gitea's hooks meet them: push, build, commit status.

Runs against the sandbox under test, or against any pair of servers: GITEA_URL and JENKINS_URL (addresses for
people, without a path), GITEA_LOGIN (`user:password` of the owner of the organisation) and CI_WEBHOOK_SECRET.
"""

import hashlib
import hmac
import json
import os
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from sandbox.settings import ORGANISATION
from sandbox.wait import stopwatch, wait_until

REPOSITORY = "data_preprocessing"  # its branches are built and never deployed
SECONDS = 400  # that a build may take, the queue before it included
HEADS = int(os.environ.get("SCM_CI_HEADS", "10"))
FINAL = {"success", "failure", "error"}
PIPELINE = """pipeline {
    agent any
    options {
        timeout(time: 10, unit: 'MINUTES')
    }
    stages {
%s
    }
}
"""
STAGE = "        stage('%s') {\n            steps { sh '%s' }\n        }"
DELIVER = """        stage('deliver') {
            when { branch 'main' }
            steps { sh 'exit 9' }
        }"""


def jenkinsfile(**stages: str) -> str:
    """A pipeline of shell stages, and one that only main may reach."""
    return PIPELINE % "\n".join([STAGE % stage for stage in stages.items()] + [DELIVER])


GREEN = jenkinsfile(test="true")


@dataclass(frozen=True)
class Servers:
    """Where to push to, where statuses are, where hooks go."""

    clone_url: str = field(repr=False)
    gitea_url: str
    jenkins_url: str
    secret: str = field(repr=False)

    def statuses(self, commit: str) -> list[dict[str, str]]:
        """The newest status of each context."""
        path = f"/api/v1/repos/{ORGANISATION}/{REPOSITORY}/commits/{commit}/status"
        answer = requests.get(self.gitea_url + path, timeout=20)
        answer.raise_for_status()
        return answer.json()["statuses"] or []

    def span(self, commit: str) -> list[str]:
        """When its first stage began and its build ended; one second fine, the same time zone for all."""
        path = f"/api/v1/repos/{ORGANISATION}/{REPOSITORY}/statuses/{commit}"
        rows = requests.get(self.gitea_url + path, params={"limit": 50}, timeout=20).json()
        times = [row["created_at"] for row in rows if row["status"] in FINAL or "stage" in row["description"]]
        return [min(times), max(times)]

    def status(self, commit: str) -> dict[str, str] | None:
        return next((s for s in self.statuses(commit) if s["context"] == "ci"), None)

    def result(self, commit: str) -> dict[str, str]:
        """The final status `ci`, waited for."""

        def look() -> dict[str, str] | None:
            try:
                status = self.status(commit)
            except requests.RequestException:  # a server may just be starting again
                return None
            return status if status and status["status"] in FINAL else None

        return wait_until(look, what=f"the status ci of {commit[:12]}", seconds=SECONDS)

    def deliver(self, body: bytes, signature: str | None) -> requests.Response:
        """What a hook sends."""
        headers = {"X-Gitea-Event": "push", "X-Gitea-Delivery": str(uuid.uuid4())}
        headers |= {"Content-Type": "application/json"}
        headers |= {} if signature is None else {"X-Gitea-Signature": signature}
        url = f"{self.jenkins_url}/generic-webhook-trigger/invoke?token={REPOSITORY}"
        return requests.post(url, body, headers=headers, timeout=20)

    def sign(self, body: bytes) -> str:
        return hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture(scope="module")
def servers(request) -> Servers:
    if gitea := os.environ.get("GITEA_URL"):
        login = "@".join([os.environ["GITEA_LOGIN"], gitea.split("//")[1]])
        clone_url = f"http://{login}/{ORGANISATION}/{REPOSITORY}.git"
        return Servers(clone_url, gitea, os.environ["JENKINS_URL"], os.environ["CI_WEBHOOK_SECRET"])
    sandbox = request.getfixturevalue("sandbox")
    clone_url = sandbox.json("status")["repositories"][REPOSITORY]["clone_url"]
    ci = f"http://127.0.0.1:{sandbox.setting('CI_PORT')}"
    return Servers(clone_url, sandbox.statuses_url(), ci, sandbox.setting("CI_WEBHOOK_SECRET"))


class Work:
    """A scratch repository whose history has nothing to do with what is there."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.url = url
        self.git("init", "--quiet", "--initial-branch=work", str(folder), at=folder.parent)
        self.git("config", "user.name", "Tester")
        self.git("config", "user.email", "tester@noreply.invalid")
        self.git("remote", "add", "origin", url)

    def git(self, *arguments: str, at: Path | None = None) -> str:
        command = ["git", "-C", str(at or self.folder), *arguments]
        result = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120
        )
        assert result.returncode == 0, result.stderr.replace(self.url, "origin")
        return result.stdout.strip()

    def commit(self, pipeline: str | None = GREEN, message: str = "A change", **files: str) -> str:
        """A commit of these files and nothing else; the commit."""
        self.git("rm", "-rfq", "--ignore-unmatch", ".")
        texts = files | ({} if pipeline is None else {"Jenkinsfile": pipeline})
        for name, text in (texts | {"unique": str(uuid.uuid4())}).items():
            (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str, *options: str) -> None:
        self.git("push", "--quiet", *options, "origin", f"HEAD:refs/heads/{branch}")


@pytest.fixture
def work(servers, tmp_path) -> Work:
    (tmp_path / "work").mkdir()
    return Work(servers.clone_url, tmp_path / "work")


@pytest.fixture
def branch() -> str:
    return f"case-{uuid.uuid4().hex[:8]}"


def test_a_branch_is_built_and_not_deployed(servers, work, branch):
    commit = work.commit()
    work.push(branch)
    since_push = stopwatch()
    wait_until(lambda: servers.status(commit), what="the first status", seconds=SECONDS, interval=0.1)
    print(f"\npush → first status: {since_push():.1f} s")
    result = servers.result(commit)
    print(json.dumps(result))
    assert result["status"] == "success", result
    assert result["target_url"].startswith(f"{servers.jenkins_url}/job/{REPOSITORY}/")
    assert requests.get(result["target_url"], timeout=20).status_code == 200
    assert {status["context"] for status in servers.statuses(commit)} == {"ci"}


def payload(ref: str, commit: str) -> bytes:
    repository = {"name": REPOSITORY, "full_name": f"{ORGANISATION}/{REPOSITORY}"}
    repository["owner"] = {"login": ORGANISATION}
    return json.dumps({"ref": ref, "before": "0" * 40, "after": commit, "repository": repository}).encode()


def test_only_a_signed_delivery_builds(servers, work, branch):
    """And one that is signed builds again what is there: that is how a lost delivery is made up for."""
    commit = work.commit()
    work.push(branch)
    first = servers.result(commit)
    body = payload(f"refs/heads/{branch}", commit)
    for signature in (None, "", "0" * 64, servers.sign(body + b" ")):
        refused = servers.deliver(body, signature)
        assert refused.status_code == 403, (signature, refused.text)
    assert servers.status(commit) == first
    accepted = servers.deliver(body, servers.sign(body))
    print("\n", accepted.status_code, accepted.text)
    assert accepted.status_code == 200
    assert accepted.json()["jobs"][REPOSITORY]["triggered"] is True


@pytest.mark.parametrize("ref", ["refs/tags/v1", "refs/pull/1/head", "refs/heads/gone"])
def test_a_signed_delivery_of_anything_but_a_branch_head_builds_nothing(servers, ref):
    body = payload(ref, "0" * 40 if ref.endswith("gone") else "1" * 40)
    answer = servers.deliver(body, servers.sign(body))
    assert answer.status_code == 200, answer.text
    assert answer.json()["jobs"][REPOSITORY]["triggered"] is False


def test_tags_and_deletions_build_nothing(servers, work, branch):
    tagged = work.commit()
    work.git("push", "--quiet", "origin", f"HEAD:refs/tags/{branch}")
    work.push(f"{branch}-gone")
    assert servers.result(tagged)["status"] == "success"
    before = servers.status(tagged)
    work.git("push", "--quiet", "origin", f":refs/heads/{branch}-gone", f":refs/tags/{branch}")
    only_tagged = work.commit()
    work.git("push", "--quiet", "origin", f"HEAD:refs/tags/{branch}-2")
    later = work.commit()  # of the same repository: what came before it was built before it
    work.push(branch)
    assert servers.result(later)["status"] == "success"
    assert servers.status(only_tagged) is None
    assert servers.status(tagged) == before


def test_a_forced_push_builds_both_commits(servers, work, branch):
    replaced = work.commit()
    work.push(branch)
    work.git("checkout", "--quiet", "--orphan", "other")
    head = work.commit(jenkinsfile(test="false"))
    work.push(branch, "--force")
    assert servers.result(replaced)["status"] == "success"
    assert servers.result(head)["status"] == "failure"


BAD = {
    "no-jenkinsfile": (None, "no jenkinsfile"),
    "broken-syntax": ("pipeline {\n    agent any\n    stages {\n", "line"),
    "unknown-step": (PIPELINE % (STAGE.replace("sh '%s'", "%s()") % ("test", "nonsense")), "nonsense"),
    "failing-test": (jenkinsfile(lint="true", test="exit 3"), "stage test"),
    "hanging-test": (
        jenkinsfile(test="sleep 500").replace("time: 10, unit: 'MINUTES'", "time: 5, unit: 'SECONDS'"),
        "stage test",
    ),
    "image-that-does-not-build": (jenkinsfile(image="ci image"), "stage image"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_repository_is_red_with_its_reason_and_the_next_push_is_built(servers, work, branch, name):
    pipeline, reason = BAD[name]
    bad = work.commit(pipeline, Dockerfile="ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\nRUN false\n")
    work.push(branch)
    result = servers.result(bad)
    print(json.dumps(result))
    assert result["status"] == "failure"
    assert reason in result["description"].lower()
    good = work.commit()
    work.push(branch)
    assert servers.result(good)["status"] == "success"


def test_nothing_in_a_name_is_executed(servers, work, branch):
    mark = f"/tmp/{branch}"
    names = (f"$(touch${{IFS}}{mark})", f"`touch {mark}`", f"'; touch {mark}; '", f'"; touch {mark}; "')
    as_branches = [name.replace(" ", "${IFS}") for name in names]
    for name, message in zip(as_branches, names, strict=True):
        commit = work.commit(message=message)
        work.push(f"{branch}/{name}")
        assert servers.result(commit)["status"] == "success", name
    commit = work.commit(jenkinsfile(test=f"! test -e {mark}"))
    work.push(f"{branch}-after")
    assert servers.result(commit)["status"] == "success", "a name was executed"


def test_every_pushed_head_gets_a_status_in_order(servers, work, branch):
    commits = []
    for _ in range(HEADS):
        commits.append(work.commit())
        work.push(branch)
    results = [servers.result(commit) for commit in commits]
    assert {result["status"] for result in results} == {"success"}
    numbers = [int(result["target_url"].rstrip("/").rsplit("/", 1)[1]) for result in results]
    assert numbers == sorted(numbers)
    spans = [servers.span(commit) for commit in commits]
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans)), "two at once"


# What is stopped, by whether Git and CI are one server: the stand-in and the embedded driver have but one.
@pytest.fixture
def control(request) -> Callable[[str, str], None]:
    """stop, start, restart or kill `git`, `ci` or the `agent` of the sandbox."""
    if os.environ.get("GITEA_URL"):
        pytest.skip("servers given by address cannot be stopped from here")
    sandbox = request.getfixturevalue("sandbox")
    names = {service["name"] for service in sandbox.json("status")["services"]}
    git = "gitea" if "gitea" in names else "ci"
    services = {"git": git, "ci": "jenkins" if "jenkins" in names else git, "agent": "jenkins-agent"}

    def do(verb: str, part: str) -> None:
        if services[part] not in names | {git}:
            pytest.skip("builds run in services/ci itself here: there is no agent that could be lost")
        if verb == "stop" and services["ci"] == "gitea":
            pytest.skip("services/ci is both Gitea and Jenkins here: while it is down nothing can be pushed")
        sandbox.control(verb, services[part])

    return do


def test_a_push_while_ci_is_down_is_built_when_it_is_back(servers, work, branch, control):
    commit = work.commit()
    control("stop", "ci")
    try:
        work.push(branch)
    finally:
        control("start", "ci")
    assert servers.result(commit)["status"] == "success"


def reach_test(servers, commit):
    """Wait until the stage `test` of its build runs."""

    def running() -> bool:
        status = servers.status(commit)
        return bool(status) and "test" in status["description"]

    wait_until(running, what="the stage test", seconds=SECONDS, interval=0.1)


def test_a_build_whose_agent_is_lost_is_built_once_more(servers, work, branch, control):
    commit = work.commit(jenkinsfile(test="sleep 20"))
    work.push(branch)
    reach_test(servers, commit)
    first = servers.status(commit)["target_url"]
    control("kill", "agent")
    result = servers.result(commit)
    print(json.dumps(result))
    assert result["status"] == "success"
    assert result["target_url"] != first


def test_git_restarted_during_a_build_gets_its_status(servers, work, branch, control):
    commit = work.commit(jenkinsfile(test="sleep 8"))
    work.push(branch)
    reach_test(servers, commit)
    control("restart", "git")
    assert servers.result(commit)["status"] == "success"
