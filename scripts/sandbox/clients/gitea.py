"""Gitea's API v1 as its administrator: each call looks, makes what is missing and says whether it did.

Commit statuses are in statuses.py: they need no administrator.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.http import ApiError, Http

ADMIN = "sandbox"
BRANCH = "main"


class GiteaError(ApiError):
    """Gitea refused or could not do something (B21, B23, B24)."""


class GiteaAway(GiteaError):
    """No Gitea answers, or it is still starting (B22)."""


class Gitea:
    """One server by the root of its API (`…/api/v1`), with Basic auth. Calls raise GiteaError."""

    def __init__(self, url: str, password: str) -> None:
        login = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
        self._http = Http("gitea", url, {"Authorization": f"Basic {login}"})

    def put_organisation(self, name: str) -> bool:
        """Make the organisation, owned by the administrator."""
        return self._put(f"/orgs/{name}", "/orgs", {"username": name, "visibility": "public"})

    def put_repository(self, owner: str, name: str) -> bool:
        """Make an empty repository of an organisation; the first push fills it."""
        # Not private: people and `sandbox trace` read commit statuses without a login.
        body = {"name": name, "default_branch": BRANCH, "auto_init": False, "private": False}
        return self._put(f"/repos/{owner}/{name}", f"/orgs/{owner}/repos", body)

    def _put(self, path: str, collection: str, body: dict[str, Any]) -> bool:
        """Post to the collection where nothing is at the path."""
        with _explained(self._http.url):
            if self._http.find(path) is not None:
                return False
            self._http.post(collection, body)
            return True


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Raise an answer's error again with a code, a cause and a command."""
    try:
        yield
    except ApiError as error:
        raise _failure(url, error) from error


def _failure(url: str, error: ApiError) -> GiteaError:
    logs = "Run: make logs SERVICE=gitea"
    if error.status == 401:
        return GiteaError(
            f"B21 Gitea at {url} refuses the user {ADMIN} with GITEA_ADMIN_PASSWORD of .env: {error}",
            error.status,
            "It takes that password when it starts. Run: make down, then make up",
        )
    if error.status in (0, 502, 503, 504):
        return GiteaAway(f"B22 Gitea does not answer: {error}", error.status, logs)
    if error.status in (403, 404, 405):
        return GiteaError(f"B23 Gitea does not let {ADMIN} do this: {error}", error.status, logs)
    return GiteaError(f"B24 {error}", error.status, logs)
