"""Gitea as a client sees it, https://docs.gitea.com/api, tag `repository`: branches and commit statuses."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ci.command_settings import GiteaSettings
from ci.errors import GiteaError
from ci.sessions import call, session_for, text_of

PAGE_SIZE = 50  # the most that Gitea gives unless it is told otherwise
HINTS = {
    401: "check STATUS_USER and STATUS_TOKEN",
    403: "STATUS_USER must be allowed to write to the repository",
    404: "check ORGANISATION, the repository's name, and that STATUS_USER may read it",
}


@dataclass(frozen=True)
class Head:
    """The newest commit of a branch; `commit` is how Gitea shows it."""

    branch: str
    sha: str
    commit: dict[str, Any] = field(compare=False)


class Gitea:
    """The repositories of the organisation; every call raises GiteaError, or NotYet where Gitea is away."""

    def __init__(self, settings: GiteaSettings) -> None:
        self.root = f"{settings.url}/repos/{quote(settings.organisation, safe='')}"
        self.session = session_for(settings.url)
        self.session.auth = (settings.user, settings.token)  # HTTP Basic

    def post_status(self, repository: str, commit: str, body: dict[str, str]) -> None:
        """Set a status of a commit."""
        self._call("POST", repository, f"/statuses/{commit}", 201, json=body)

    def writable(self, repository: str) -> dict[str, Any]:
        """How Gitea shows a repository. Raises GiteaError where no status of a build could be set in it."""
        shown = self._object(self._call("GET", repository, ""))
        if shown.get("archived"):
            raise GiteaError("it is archived, and a build could set no status; unarchive or delete it")
        if not (shown.get("permissions") or {}).get("push"):
            raise GiteaError("STATUS_USER may not write to it, and a build could set no status; run make up")
        return shown

    def heads(self, repository: str) -> list[Head]:
        """The head of every branch."""
        found = self._rows(repository, "/branches")
        try:
            return [Head(each["name"], each["commit"]["id"], each["commit"]) for each in found]
        except (KeyError, TypeError) as error:
            raise self._no_gitea() from error

    def statuses(self, repository: str, commit: str) -> list[dict[str, Any]]:
        """Every status of a commit."""
        return [self._object(row) for row in self._rows(repository, f"/statuses/{commit}")]

    def _rows(self, repository: str, path: str) -> list[Any]:
        """The rows of every page, until one has no new ones."""
        rows: list[Any] = []
        for page in itertools.count(1):
            query = {"page": page, "limit": PAGE_SIZE}
            found = self._call("GET", repository, path, params=query) or []  # null while it is empty
            if not isinstance(found, list):
                raise self._no_gitea()
            new = [row for row in found if row not in rows]
            if not new:
                break
            rows += new
        return rows

    def combined(self, repository: str, commit: str) -> dict[str, Any]:
        """The newest status of each context of a commit (`statuses` may be null)."""
        query = {"limit": PAGE_SIZE}
        return self._object(self._call("GET", repository, f"/commits/{commit}/status", params=query))

    def _object(self, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise self._no_gitea()
        return found

    def _call(self, method: str, repository: str, path: str, expected: int = 200, **options: Any) -> Any:
        url = f"{self.root}/{quote(repository, safe='')}{path}"
        response = call(self.session, method, url, **options)
        if response.status_code != expected:
            hint = HINTS.get(response.status_code, "is STATUS_URL the API of Gitea?")
            said = f"{url} refused {method} ({response.status_code}): {text_of(response)}"
            raise GiteaError(f"{said}; {hint}.")
        try:
            return response.json()
        except ValueError as error:
            raise self._no_gitea() from error

    def _no_gitea(self) -> GiteaError:
        return GiteaError(f"What answers at {self.root} is not Gitea; check STATUS_URL.")
