"""Gitea's push payload, made from what `post-receive` says: https://docs.gitea.com/usage/webhooks."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ci import gitea
from ci.git import ZERO, git
from ci.repositories import HEADS
from ci.settings import HookSettings

COMMITS = 20
FILES = 200
MESSAGE = 4000
FORMAT = "%H%x00%an%x00%ae%x00%cn%x00%ce%x00%cI%x00%B"
KINDS = {"A": "added", "D": "removed"}


def push_payload(settings: HookSettings, folder: Path, before: str, after: str, ref: str) -> dict[str, Any]:
    """The payload of one moved ref in the bare repository `folder`; commits and files are bounded."""
    name = folder.name.removesuffix(".git")
    page = f"{settings.web_url}/job/{name}/"
    new = [] if after == ZERO else new_commits(folder, before, after, ref)
    commits = [render(record, page) for record in read_commits(folder, new[:COMMITS])]
    add_files(folder, commits)
    pusher = gitea.user(user_name(), settings.web_url)
    clone_url = gitea.clone_url(folder, settings.organisation, settings.web_url, settings.git_http)
    repository = gitea.repository(
        settings.organisation, name, settings.web_url, clone_url, default_branch(folder)
    )
    return assemble(ref, before, after, page, commits, len(new), repository, pusher)


def head_payload(
    repository: dict[str, Any], branch: str, commit: dict[str, Any], login: str
) -> dict[str, Any]:
    """The payload of a branch as if it were new, from what Gitea's API says of repository and head."""
    page, pusher = repository.get("html_url", ""), {"login": login}
    return assemble(f"{HEADS}{branch}", ZERO, commit["id"], page, [commit], 1, repository, pusher)


def assemble(
    ref: str,
    before: str,
    after: str,
    page: str,
    commits: list[dict[str, Any]],
    total: int,
    repository: dict[str, Any],
    pusher: dict[str, Any],
) -> dict[str, Any]:
    """The fields of a payload; `commits` may be fewer than `total`."""
    for user in (pusher, repository["owner"]):
        user["username"] = user["login"]  # payloads have it, the API's description does not
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "compare_url": page,
        "commits": commits,
        "total_commits": total,
        "head_commit": commits[0] if commits else None,
        "repository": repository,
        "pusher": pusher,
        "sender": pusher,
    }


def new_commits(folder: Path, before: str, after: str, ref: str) -> list[str]:
    """Commits the push brought, the newest first; of a new branch those that no other branch has."""
    if not git(folder, "rev-parse", "--verify", "--quiet", f"{after}^{{commit}}", check=False):
        return []
    old = [f"--exclude={ref}", "--branches"] if before == ZERO else [before]
    found = git(folder, "rev-list", after, "--not", *old, check=False).split()
    return found or [after]


def read_commits(folder: Path, commits: list[str]) -> list[list[str]]:
    """The fields of FORMAT for each commit."""
    if not commits:
        return []
    output = git(
        folder, "log", "--no-walk=unsorted", "-z", f"--format={FORMAT}", "--stdin", given="\n".join(commits)
    )
    fields = output.removesuffix("\0").split("\0")
    return [fields[start : start + 7] for start in range(0, len(fields) - 6, 7)]


def render(record: list[str], page: str) -> dict[str, Any]:
    """A commit in Gitea's form, its files still empty."""
    sha, author, author_email, committer, committer_email, when, message = record
    return {
        "id": sha,
        "message": message[:MESSAGE],
        "url": page,
        "author": {"name": author, "email": author_email, "username": author},
        "committer": {"name": committer, "email": committer_email, "username": committer},
        "verification": None,
        "timestamp": when,
        "added": [],
        "removed": [],
        "modified": [],
    }


def add_files(folder: Path, commits: list[dict[str, Any]]) -> None:
    """Add the names of the changed files, up to FILES for each commit."""
    given = "\n".join(commit["id"] for commit in commits)
    command = ("diff-tree", "--stdin", "--root", "-r", "-z", "--no-renames", "--name-status")
    words = iter(git(folder, *command, given=given + "\n").split("\0")) if commits else iter(())
    by_id = {commit["id"]: commit for commit in commits}
    current: dict[str, Any] = {}
    for word in words:
        current = by_id.get(word, current)
        if len(word) == 1:
            add_file(current[KINDS.get(word, "modified")], words)


def add_file(names: list[str], words: Iterator[str]) -> None:
    """The name that follows a status letter."""
    name = next(words, "")
    if len(names) < FILES:
        names.append(name)


def default_branch(folder: Path) -> str:
    """The branch that HEAD names."""
    return git(folder, "symbolic-ref", "--short", "HEAD", check=False).strip() or "main"


def user_name() -> str:
    """Who pushes: with bare repositories, whoever runs git."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "git"
