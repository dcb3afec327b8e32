"""What tests are made with: real bare repositories, working copies, and the real server as a process."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from flask.testing import FlaskClient

from ci.app import Ci
from ci.signature import HEADER, sign

SECRET, TOKEN, ORGANISATION = "a-secret-for-hooks", "a-token-for-statuses", "mlops"
SCRIPTS = Path(sys.executable).parent
JENKINSFILE = """
pipeline {
    agent any
    stages {
        stage('lint') { steps { sh 'make lint' } }
        stage('test') { steps { sh 'make test' } }
        stage('deliver') {
            when { branch 'main' }
            steps { sh 'make deliver' }
        }
    }
}
"""
MAKEFILE = "lint:\n\t@echo linted\ntest:\n\t@echo tested\ndeliver:\n\t@echo delivered\n"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() + done.stderr if arguments[0] == "push" else done.stdout.strip()


def basic(user: str, password: str) -> str:
    """The header Authorization of a login."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Repository:
    """A bare repository with a working copy beside it."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.bare, self.work = root / "git" / f"{name}.git", root / "work" / name
        for folder in (self.bare, self.work):
            folder.mkdir(parents=True)
        git(self.bare, "init", "--quiet", "--bare", "--initial-branch=main")
        git(self.work, "init", "--quiet", "--initial-branch=main")
        git(self.work, "remote", "add", "origin", str(self.bare))

    def commit(self, files: dict[str, str] | None = None, message: str = "Change") -> str:
        for name, text in (files or {}).items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "--message", message)
        return git(self.work, "rev-parse", "HEAD")

    def push(self, ref: str = "main", *options: str) -> str:
        return git(self.work, "push", "--quiet", *options, "origin", f"HEAD:{ref}")

    def push_files(self, files: dict[str, str], message: str = "Change", ref: str = "main") -> str:
        sha = self.commit(files, message)
        self.push(f"refs/heads/{ref}")
        return sha


def pipeline(*stages: str, extra: str = "") -> str:
    """A Jenkinsfile with stages `name: command`, the command given to the shell as it is."""
    lines = (
        f"stage('{s.split(': ', 1)[0]}') {{ steps {{ sh '''{s.split(': ', 1)[1]}''' }} }}" for s in stages
    )
    return "pipeline {\n agent any\n" + extra + "\n stages {\n" + "\n".join(lines) + "\n }\n}\n"


def wait_for(look: Callable[[], Any], seconds: float = 20) -> Any:
    """What `look` gives as soon as it is true."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        value = look()
        if value:
            return value
        time.sleep(0.03)
    raise AssertionError(f"waited {seconds} s in vain")


def finished(ci: Ci, repository: str, number: int = 1) -> Any:
    """The build as soon as it has ended and said so."""

    def look() -> Any:
        build = ci.store.build(repository, number)
        if not build or not build.result:
            return None
        latest = ci.statuses.latest(repository, build.sha)
        return build if any(s.context == "ci" and s.state != "pending" for s in latest) else None

    return wait_for(look)


def log_of(ci: Ci, repository: str, number: int = 1) -> str:
    return ci.settings.log(repository, number).read_text(encoding="utf-8")


def push_body(name: str, sha: str, ref: str = "refs/heads/main", **changes: Any) -> dict[str, Any]:
    owner = {"login": ORGANISATION}
    return {
        "ref": ref,
        "before": "0" * 40,
        "after": sha,
        "repository": {"name": name, "owner": owner},
    } | changes


def deliver_hook(
    client: FlaskClient, body: Any, delivery: str = "", secret: str = SECRET, **headers: str
) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {HEADER: sign(secret, raw), "X-Gitea-Event": "push", "X-Gitea-Delivery": delivery} | headers
    return client.post("/generic-webhook-trigger/invoke", data=raw, headers=headers)


class Server:
    """`ci serve` as a process."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.url = environment["CI_URL"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        with Path(self.environment["HOME"], "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SCRIPTS / "ci", "serve"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self.is_healthy)
        return self

    def is_healthy(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=2).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            assert self.process.poll() is None, Path(self.environment["HOME"], "server.log").read_text()
            return False

    def get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=5)

    def build(self, repository: str, number: int = 1) -> Any:
        response = self.get(f"/job/{repository}/{number}/api/json")
        return response.json() if response.ok else None

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)
