"""Git by its own command: the head of `main`, and when a commit was made."""

import os
import subprocess
import tempfile

from monitor.errors import Away

SECONDS = 20
# No prompt and no settings of the machine's user.
PLAIN = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def head(address: str) -> str:
    """The commit that `main` names; empty where there is none. Raises Away."""
    return _git("ls-remote", address, "refs/heads/main").partition("\t")[0]


def made_at(address: str, commit: str) -> float:
    """When a commit was made, in seconds since 1970. Raises Away."""
    with tempfile.TemporaryDirectory(prefix="monitor-git-") as folder:
        here = ("--git-dir", folder)
        _git(*here, "init", "--quiet", "--bare")
        _git(*here, "fetch", "--quiet", "--depth=1", address, commit)
        return float(_git(*here, "show", "--no-patch", "--format=%ct", commit))


def _git(*arguments: str) -> str:
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ} | PLAIN
    try:
        done = subprocess.run(
            ["git", *arguments], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Away(f"git could not be asked: {type(error).__name__}") from error
    if done.returncode:
        raise Away(f"git ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()
