"""Users and repositories in the form Gitea's API and hooks give them."""

from __future__ import annotations

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


def repository(
    organisation: str, name: str, web_url: str, clone_url: str, default_branch: str
) -> dict[str, Any]:
    """A repository; its page is the page of its builds."""
    return {
        "id": crc32(name.encode()),
        "owner": user(organisation, web_url),
        "name": name,
        "full_name": f"{organisation}/{name}",
        "private": True,
        "fork": False,
        "html_url": f"{web_url}/job/{name}/",
        "url": f"{web_url}/api/v1/repos/{organisation}/{name}",
        "clone_url": clone_url,
        "ssh_url": clone_url,
        "default_branch": default_branch,
    }
