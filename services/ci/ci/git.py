"""Calls of the git program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ci.errors import GitError

ZERO = "0" * 40


def git(
    folder: Path | str,
    *arguments: str,
    given: str | None = None,
    check: bool = True,
    env: dict[str, str] | None = None,
) -> str:
    """Output of `git arguments` in `folder`; empty where it fails and `check` is false. Raises GitError.

    `env` is added to the environment.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | env if env else None,
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


def fetch_commit(folder: Path | str, remote: str, version: str, env: dict[str, str] | None = None) -> None:
    """Fetch a commit where it is not there yet. Raises GitError."""
    if not git(folder, "cat-file", "-t", version, check=False):
        git(folder, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, version, env=env)


def contains(folder: Path | str, remote: str, version: str, commit: str) -> bool:
    """Whether `commit` is part of the history of `version`; no, too, where that one cannot be had."""
    try:
        fetch_commit(folder, remote, version)
    except GitError:
        return False
    return _succeeds(folder, "merge-base", "--is-ancestor", commit, version)


def _succeeds(folder: Path | str, *arguments: str) -> bool:
    """Whether a command that says nothing ends well."""
    try:
        git(folder, *arguments)
    except GitError:
        return False
    return True
