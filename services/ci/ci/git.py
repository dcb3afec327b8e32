"""Calls of the git program."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ci.errors import GitError

ZERO = "0" * 40


def git(folder: Path | str, *arguments: str, given: str | None = None, check: bool = True) -> str:
    """Output of `git arguments` in `folder`; empty where it fails and `check` is false. Raises GitError."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise GitError(f"Cannot run git in {folder}: {error}.") from error
    if done.returncode == 0:
        return done.stdout
    if check:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise GitError(f"git {arguments[0]} failed in {folder}: {last}")
    return ""


def head(folder: Path | str) -> str:
    """The commit that is checked out in `folder`. Raises GitError."""
    return git(folder, "rev-parse", "HEAD").strip()
