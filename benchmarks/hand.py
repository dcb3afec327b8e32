"""The loop by hand beside the pushed one: its repositories, its environment and its start."""

import json
import subprocess
import sys
from pathlib import Path

from dotenv import dotenv_values
from pushed import Measured, commit_something

from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.git import git
from sandbox.settings import ROOT, machine_environment
from sandbox.wait import stopwatch

SCRIPT = Path(__file__).with_name("by_hand.py")
REPOSITORIES = ("model_training", "data_preprocessing")


class Hand:
    """Mirrors and working copies below `scratch`: by hand nothing reaches the sandbox's repositories."""

    def __init__(self, context: Context, scratch: Path) -> None:
        self.context = context
        self.mirrors, self.copies = scratch / "git", scratch / "work"
        self.state = ROOT / ".sandbox"
        self.count = 0

    def prepare(self) -> None:
        """Make mirrors and warm working copies. Raises LoopError."""
        for name in REPOSITORIES:
            url, mirror = self.context.endpoints.clone_url(name), self.mirrors / f"{name}.git"
            git("clone", "--quiet", "--bare", url, str(mirror), folder=self.state)
            git("clone", "--quiet", str(mirror), str(self.copies / name), folder=self.state)
            self._run(["make", "install"], name)

    def measure(self, repository: str) -> Measured:
        """Commit to a repository and take it through the loop. Raises LoopError."""
        for name in REPOSITORIES:
            self._mirror(name)
        copy = self.copies / repository
        git("fetch", "--quiet", "origin", folder=copy)
        git("checkout", "--quiet", "--force", "--detach", "origin/main", folder=copy)
        commit = commit_something(copy, "A benchmark by hand")
        git("push", "--quiet", "origin", "HEAD:refs/heads/by-hand", "--force", folder=copy)
        return self._measure(repository, commit)

    def _mirror(self, name: str) -> None:
        """Bring the mirror to where the sandbox's repository is."""
        refs = ("+refs/heads/main:refs/heads/main", "+refs/tags/*:refs/tags/*")
        url = self.context.endpoints.clone_url(name)
        git("fetch", "--quiet", url, *refs, folder=self.mirrors / f"{name}.git")

    def _measure(self, repository: str, commit: str) -> Measured:
        other = next(name for name in REPOSITORIES if name != repository)
        self.count += 1
        python = str(self.state / "environments" / "airflow" / "bin" / "python")
        argv = [python, str(SCRIPT), str(self.copies / repository), repository, commit]
        argv += [*self._newest(other), f"by-hand-{self.count}"]
        elapsed = stopwatch()
        printed = self._run(argv, repository)
        seconds = elapsed()
        stages = json.loads(printed.splitlines()[-1])
        return Measured(seconds, {**stages, "start": seconds - sum(stages.values())}, stages)

    def _newest(self, repository: str) -> tuple[str, str]:
        """The newest commit of a repository and its image. Raises LoopError."""
        found = self.context.statuses.of(repository, "main")
        images = [row["description"] for row in found[1] if row["context"] == "image"] if found else []
        if not found or not images:
            raise LoopError(f"The newest commit of {repository} has no image.", "Run: make trace")
        return found[0], images[-1]

    def _run(self, argv: list[str], repository: str) -> str:
        done = subprocess.run(
            argv,
            cwd=self.copies / repository,
            env=self._environment(repository),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if argv[0] == "make" else None,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(done.stdout)
            raise LoopError(f"{' '.join(argv[:3])} ended with {done.returncode}; see above.")
        return done.stdout

    def _environment(self, repository: str) -> dict[str, str]:
        """What a build gets, but for the repositories' address."""
        machine = machine_environment()
        loop = {key: value or "" for key, value in dotenv_values(self.state / "loop.env").items()}
        ci = self.state / "environments" / "ci" / "bin"
        own = {"GIT_URL": f"file://{self.mirrors}", "JOB_NAME": repository, "CI": "true"}
        return machine | loop | own | {"PATH": f"{ci}:{machine['PATH']}"}
