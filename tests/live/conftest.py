"""A sandbox brought up from a copy of this tree by the README's first command, and taken down at the end."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from dotenv import dotenv_values
from figures import Figures
from machines import Docker, Embedded, Machine

LOOP_SECONDS = 600
FIGURES = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--driver", choices=["embedded", "docker"], default="embedded")
    parser.addoption("--override", help="Compose file of other images; default: the stand-ins'")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Cases of containers are no cases of the embedded driver."""
    if config.getoption("--driver") == "embedded":
        items[:] = [item for item in items if not item.get_closest_marker("docker")]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line: how many tests ran, and what was measured."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if config.getoption("--driver") == "embedded" or not reporter:
        return
    kinds = ("passed", "failed", "error", "skipped")
    counts = {kind: len(reporter.stats.get(kind, [])) for kind in kinds}
    said = ", ".join(
        f"{number} {kind}" for kind, number in counts.items() if number or kind in ("passed", "skipped")
    )
    print(f"{sum(counts.values())} tests: {said} {json.dumps(config.stash[FIGURES].as_json())}")


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where measured values go; the last line of the output shows them."""
    return request.config.stash[FIGURES]


class Sandbox:
    """A running sandbox, used as a person uses it: Git, HTTP and `sandbox -o json`."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.folder = folder
        self.machine = machine
        self.first_up = ""  # what the first `make up` printed
        self._urls: dict[str, str] = {}
        self._urls_of = ""  # the .env that they belong to

    def put_raw(self, name: str, text: str) -> None:
        self.machine.put_raw(self.folder, name, text)

    def get_raw(self, name: str) -> str:
        return self.machine.get_raw(self.folder, name)

    def remove_raw(self, name: str) -> None:
        self.machine.remove_raw(self.folder, name)

    def remove_caches(self) -> None:
        """Remove what builds and tasks have left behind for later ones."""
        self.machine.remove_caches(self.folder)

    def control(self, verb: str, service: str) -> None:
        """stop, start, restart or kill a service."""
        self.machine.control(self.folder, verb, service)

    def make(self, target: str) -> str:
        """Run a make target; its output. Fails the test with all it printed."""
        result = subprocess.run(
            ["make", target], cwd=self.folder, capture_output=True, text=True, timeout=1500
        )
        assert result.returncode == 0, f"make {target}\n{result.stdout}\n{result.stderr}\n{self.last_logs()}"
        return result.stdout + result.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / ".venv/bin/sandbox"), *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=1500)

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "-o", "json")
        assert result.stdout.startswith(("{", "[")), f"{arguments}\n{result.stdout}\n{result.stderr}"
        return json.loads(result.stdout)

    def trace(self, ref: str) -> dict[str, Any]:
        """The receipt of a loop that has ended."""
        return self.json("trace", ref, "--wait", "--timeout", str(LOOP_SECONDS))

    def url(self, service: str) -> str:
        """Where a service answers; asked again only once .env has changed."""
        settings = (self.folder / ".env").read_text()
        if settings != self._urls_of:
            self._urls = {row["name"]: row["url"] for row in self.json("status")["services"]}
            self._urls_of = settings
        return self._urls[service]

    def login(self, service: str) -> tuple[str, str] | None:
        """User and password of a service, None where it needs none."""
        row = next(row for row in self.json("credentials") if row["name"] == service)
        return (row["user"], row["password"]) if row["user"] else None

    def setting(self, name: str) -> str:
        """A value of its .env."""
        return dotenv_values(self.folder / ".env", interpolate=False)[name] or ""

    def statuses_url(self) -> str:
        """Where Gitea's routes answer: Gitea, or services/ci where there is none."""
        port = "GITEA_PORT" if self.setting("DRIVER") == "docker" else "CI_PORT"
        return f"http://127.0.0.1:{self.setting(port)}"

    def shell(self) -> dict[str, str]:
        """The environment of a shell that has uv."""
        return os.environ | {"PATH": f"{self.folder / '.tools/bin'}{os.pathsep}{os.environ['PATH']}"}

    def last_logs(self) -> str:
        return self.run("logs", "-n", "30").stdout


class Clone:
    """A clone made by `sandbox clone`."""

    def __init__(self, sandbox: Sandbox, repository: str, folder: Path) -> None:
        self.folder = folder
        result = sandbox.run("clone", repository, str(folder))
        assert result.returncode == 0, result.stderr

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text that must be there."""
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new))

    def push(self, message: str, branch: str = "main") -> str:
        """Commit everything, push without a prompt; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", f"HEAD:{branch}")
        return self.git("rev-parse", "HEAD")


def copy_tree(source: Path, target: Path) -> None:
    """What a clone of this tree as it stands would hold."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


@pytest.fixture(scope="session")
def machine(root: Path, request: pytest.FixtureRequest) -> Machine:
    """The driver under test; for docker with stand-ins for the images that cannot be pulled here."""
    if request.config.getoption("--driver") == "embedded":
        return Embedded()
    override = Path(request.config.getoption("--override") or root / "build" / "stand-ins.yaml")
    assert override.exists(), "Run: make test-docker"
    return Docker(str(override.absolute()))


@pytest.fixture(scope="session")
def sandbox(
    root: Path, machine: Machine, figures: Figures, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("clone") / "mlops sandbox"  # a path with a space must do
    copy_tree(root, folder)
    # Predictions ask for a token all the while: the loop and the tool must show it.
    token = f"API_TOKENS=tests:{secrets.token_hex(16)}\n"
    # What tests ask again and again is drift; no hour must start a loop beside theirs.
    (folder / ".env").write_text(machine.prepare(folder) + token + "DRIFT_SCHEDULE=\n")
    running, urls = Sandbox(folder, machine), []
    started = time.monotonic()
    with machine.neighbours() as neighbours_live:
        try:
            with machine.a_taken_port():
                running.first_up = running.make("up")
            figures.healthy_seconds = float(re.search(r"are healthy \((\d+) s\)", running.first_up)[1])
            took = time.monotonic() - started
            print(f"\nmake up: {took:.0f} s; healthy after {figures.healthy_seconds:.0f} s")
            print(running.run("status").stdout)
            urls = [service["url"] for service in running.json("status")["services"] if service["url"]]
            yield running
        finally:
            stopped = running.run("down")
            left, answering = machine.left(folder), [url for url in urls if answers(url)]
            destroyed = running.run("destroy", "--yes")
        assert stopped.returncode == 0, stopped.stderr
        assert not left
        assert not answering
        assert destroyed.returncode == 0, destroyed.stderr
        assert not machine.lost(folder)
        assert neighbours_live()


def answers(url: str) -> bool:
    """Whether anything listens at the address of a service."""
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, int(port))) == 0


@pytest.fixture
def clone(sandbox: Sandbox, tmp_path: Path):
    """A function that makes a clone of a repository."""
    return lambda repository: Clone(sandbox, repository, tmp_path / repository)


@pytest.fixture(scope="session")
def mlflow(sandbox: Sandbox):
    """GET of MLflow's REST API."""
    login = sandbox.login("mlflow")

    def get(path: str, **query: str) -> Any:
        url = f"{sandbox.url('mlflow')}/api/2.0/mlflow/{path}"
        answer = requests.get(url, params=query, auth=login, timeout=10)
        answer.raise_for_status()
        return answer.json()

    return get


@pytest.fixture(scope="session")
def airflow(sandbox: Sandbox):
    """A request to Airflow's REST API, as its administrator; the JSON of the answer."""
    user, password = sandbox.login("airflow-api")
    url = sandbox.url("airflow-api")
    answer = requests.post(f"{url}/auth/token", json={"username": user, "password": password}, timeout=30)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{url}/api/v2{path}", json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    return call


@pytest.fixture(scope="session")
def statuses(sandbox: Sandbox):
    """The newest status of each context of a commit, as people see them beside it."""
    server = sandbox.statuses_url()

    def of(repository: str, commit: str) -> dict[str, dict[str, str]]:
        url = f"{server}/api/v1/repos/mlops/{repository}/commits/{commit}/status"
        answer = requests.get(url, timeout=20)
        answer.raise_for_status()
        return {row["context"]: row for row in answer.json()["statuses"] or []}

    return of
