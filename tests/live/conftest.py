"""A sandbox brought up from a copy of this tree by the README's first command, and taken down at the end."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

LOOP_SECONDS = 600


class Sandbox:
    """A running sandbox, used as a person uses it: Git, HTTP and `sandbox -o json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        return next(s["url"] for s in self.json("status")["services"] if s["name"] == service)

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
def sandbox(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("clone") / "mlops sandbox"  # a path with a space must do
    copy_tree(root, folder)
    running = Sandbox(folder)
    started = time.monotonic()
    try:
        running.make("up")
        print(f"\nmake up: {time.monotonic() - started:.0f} s")
        urls = [service["url"] for service in running.json("status")["services"] if service["url"]]
        yield running
    finally:
        stopped = running.run("down")
    assert stopped.returncode == 0, stopped.stderr
    assert_nothing_left(folder, urls)
    assert running.run("destroy", "--yes").returncode == 0
    assert not (folder / ".sandbox").exists()


def assert_nothing_left(folder: Path, urls: list[str]) -> None:
    """No process started from the folder lives, whatever its title is now, and no port of it answers."""
    alive = [process for process in psutil.process_iter() if belongs_to(process, folder)]
    assert not alive
    for url in urls:
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=2)


def belongs_to(process: psutil.Process, folder: Path) -> bool:
    try:
        traces = [*process.cmdline(), process.cwd(), process.environ().get("SANDBOX_STATE", "")]
    except psutil.Error:
        return False
    return any(str(folder) in trace for trace in traces)


@pytest.fixture
def clone(sandbox: Sandbox, tmp_path: Path):
    """A function that makes a clone of a repository."""
    return lambda repository: Clone(sandbox, repository, tmp_path / repository)
