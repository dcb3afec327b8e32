"""Git commands, run with a fixed identity where the tool itself commits."""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import LoopError
from sandbox.settings import machine_environment

IDENTITY = {
    "GIT_AUTHOR_NAME": "MLOps sandbox",
    "GIT_AUTHOR_EMAIL": "sandbox@sandbox.invalid",
    "GIT_COMMITTER_NAME": "MLOps sandbox",
    "GIT_COMMITTER_EMAIL": "sandbox@sandbox.invalid",
    # The user's hooks and signing keys are for the user's own commits.
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}

NO_RUN = "\nStarts-Run: no\n"  # the end of a message: `ci deliver` starts no run of such a commit
MAIN = "refs/heads/main"
LOGIN = re.compile(r"//[^/@\s]*@")  # in an address: it stays out of messages


def git(*arguments: str, folder: Path, env: dict[str, str] | None = None) -> str:
    """What Git prints. Raises LoopError with Git's own last words."""
    environment = machine_environment() | {"GIT_TERMINAL_PROMPT": "0"} | (env or {})
    command = ["git", *arguments]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        said = f"{' '.join(command[:3])} failed in {folder}: {result.stderr.strip()[-500:]}"
        raise LoopError(LOGIN.sub("//", said), "Does the sandbox run? make status tells, make up starts it")
    return result.stdout.strip()


def remote_head(url: str, branch: str, folder: Path) -> str:
    """The commit a branch points to, or an empty string where there is none."""
    line = git("ls-remote", url, f"refs/heads/{branch}", folder=folder)
    return line.split()[0] if line else ""


@dataclass(frozen=True)
class After:
    """What stands on a commit: the commits after it, the oldest first, and the branch heads that hold it.

    Where main holds it, `commits` are those of main's own line alone, and main's head comes first.
    """

    commits: list[str]
    heads: list[str]


def commits_after(url: str, commit: str) -> After:
    """Look into the history of all branches. Raises LoopError where the repository cannot be read."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        git("init", "--quiet", "--bare", folder=folder)
        git("fetch", "--quiet", url, "+refs/heads/*:refs/heads/*", folder=folder)
        if commit not in git("rev-list", "--branches", folder=folder).split():
            return After([], [])
        shown = ("--contains", commit, "--format=%(refname) %(objectname)", "refs/heads")
        rows = git("for-each-ref", *shown, folder=folder).splitlines()
        branches = dict(row.split(" ", 1) for row in rows)
        if MAIN not in branches:
            return After(_between(commit, branches.values(), folder), list(branches.values()))
        head = branches.pop(MAIN)
        line = set(git("rev-list", "--first-parent", head, folder=folder).split())
        after = [later for later in _between(commit, [head], folder) if later in line]
        return After(after, [head, *branches.values()])


def _between(commit: str, heads: Iterable[str], folder: Path) -> list[str]:
    """The commits that stand on `commit`, up to the heads, the oldest first."""
    walk = ("rev-list", "--reverse", "--topo-order", "--ancestry-path", f"^{commit}", *heads)
    return git(*walk, folder=folder).split()
