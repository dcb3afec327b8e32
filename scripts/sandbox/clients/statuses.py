"""Gitea's commit status routes (its API v1), spoken by Gitea and by services/ci."""

from typing import Any

from sandbox.http import ApiError, Http
from sandbox.settings import ORGANISATION


class Statuses:
    """Commit statuses of the organisation's repositories."""

    def __init__(self, url: str) -> None:
        self.http = Http("commit statuses", url)

    def of(self, repository: str, ref: str) -> tuple[str, list[dict[str, Any]]] | None:
        """The 40-hex commit `ref` means and its statuses, oldest first; None: no such commit.

        The first 50, which are CI's, and the newest of each context: every loop of a commit adds some twenty.
        """
        base = f"/repos/{ORGANISATION}/{repository}"
        try:
            combined = self.http.find(f"{base}/commits/{ref}/status")
        except ApiError as error:
            if error.status in (400, 422):
                return None
            raise
        if not combined or not combined.get("sha"):
            return None
        # In spite of its name Gitea's `highestindex` gives the lowest first; a page has 50 at most.
        first = self.http.get(f"{base}/statuses/{combined['sha']}", sort="highestindex", limit=50)
        rows = {row["id"]: row for row in [*first, *(combined.get("statuses") or [])]}
        return combined["sha"], [rows[number] for number in sorted(rows)]
