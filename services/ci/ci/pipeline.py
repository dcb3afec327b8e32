"""What a Jenkinsfile asks for, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shell:
    """`sh`: a script for /bin/sh."""

    script: str


@dataclass(frozen=True)
class Echo:
    """`echo`: a line for the log."""

    message: str


@dataclass(frozen=True)
class Checkout:
    """`checkout scm`: the tree of the commit, which is there before the first stage."""


@dataclass(frozen=True)
class Report:
    """`junit` or `archiveArtifacts`: Jenkins collects the files; here they stay, and `reports` reads them."""

    name: str
    files: str


@dataclass(frozen=True)
class Retry:
    """`retry(n)`: the steps, up to n times until they pass."""

    times: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Timeout:
    """`timeout(…)`: the steps, ended after so many seconds."""

    seconds: int
    steps: tuple[Step, ...]


Step = Shell | Echo | Checkout | Report | Retry | Timeout


@dataclass(frozen=True)
class Post:
    """Steps after a stage or after all of them, by condition."""

    always: tuple[Step, ...] = ()
    success: tuple[Step, ...] = ()
    failure: tuple[Step, ...] = ()
    cleanup: tuple[Step, ...] = ()

    def steps(self, passed: bool) -> tuple[Step, ...]:
        """The steps to run, in Jenkins' order."""
        return self.always + (self.success if passed else self.failure) + self.cleanup


@dataclass(frozen=True)
class Options:
    """`options`: a time limit in seconds, and how many builds to keep."""

    timeout: int | None = None
    keep_builds: int | None = None


@dataclass(frozen=True)
class Stage:
    """One stage; `branch` is the only branch it runs on, None for every branch."""

    name: str
    steps: tuple[Step, ...]
    branch: str | None = None
    options: Options = Options()
    post: Post = Post()

    def runs_on(self, branch: str) -> bool:
        return self.branch in (None, branch)


@dataclass(frozen=True)
class Pipeline:
    """A whole Jenkinsfile."""

    stages: tuple[Stage, ...]
    environment: dict[str, str] = field(default_factory=dict)
    options: Options = Options()
    post: Post = Post()
