"""Users and repositories in the form Gitea's API and hooks give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32


def user(login: str, web_url: str, email: str = "") -> dict[str, Any]:
    """A user, or the organisation."""
    return {
        "id": crc32(login.encode()),
        "login": login,
        "login_name": "",
        "full_name": login,
        "email": email or f"{login}@noreply.localhost",
        "avatar_url": "",
        "html_url": f"{web_url}/",
    }


def organisation(name: str, web_url: str) -> dict[str, Any]:
    """The organisation as its own routes give it."""
    owner = user(name, web_url)
    fields = ("id", "full_name", "email", "avatar_url")
    return {
        **{field: owner[field] for field in fields},
        "name": name,
        "username": name,
        "visibility": "public",
    }


def clone_url(folder: Path, organisation: str, web_url: str, git_http: bool) -> str:
    """Where a bare repository is cloned from: over HTTP where it is served, else its folder."""
    return f"{web_url}/{organisation}/{folder.name}" if git_http else folder.as_uri()


def repository(
    organisation: str, name: str, web_url: str, clone_url: str, default_branch: str
) -> dict[str, Any]:
    """A repository; its page is the page of its builds."""
    return {
        "id": crc32(name.encode()),
        "owner": user(organisation, web_url),
        "name": name,
        "full_name": f"{organisation}/{name}",
        "private": not clone_url.startswith("http"),  # what is served over HTTP everybody may read
        "fork": False,
        "html_url": f"{web_url}/job/{name}/",
        "url": f"{web_url}/api/v1/repos/{organisation}/{name}",
        "clone_url": clone_url,
        "ssh_url": clone_url,
        "default_branch": default_branch,
    }


def branch(name: str, commit: dict[str, Any]) -> dict[str, Any]:
    """A branch that is not protected; its commit as in payloads, without files."""
    fields = ("id", "message", "url", "author", "committer", "timestamp")
    return {
        "name": name,
        "commit": {field: commit[field] for field in fields},
        "protected": False,
        "required_approvals": 0,
        "enable_status_check": False,
        "status_check_contexts": [],
        "user_can_push": False,
        "user_can_merge": False,
    }
