"""Gitea's commit status routes (its API v1), spoken by Gitea and by services/ci."""

from typing import Any

from sandbox.http import ApiError, Http
from sandbox.settings import ORGANISATION


class Statuses:
    """Commit statuses of the organisation's repositories."""

    def __init__(self, url: str) -> None:
        self.http = Http("commit statuses", url)

    def of(self, repository: str, ref: str) -> tuple[str, list[dict[str, Any]]] | None:
        """The 40-hex commit `ref` means and its newest statuses, oldest first; None: no such commit."""
        base = f"/repos/{ORGANISATION}/{repository}"
        try:
            combined = self.http.find(f"{base}/commits/{ref}/status")
        except ApiError as error:
            if error.status in (400, 422):
                return None
            raise
        if not combined or not combined.get("sha"):
            return None
        # In spite of its name Gitea's `leastindex` gives the highest first; a page has 50 at most.
        rows = self.http.get(f"{base}/statuses/{combined['sha']}", sort="leastindex", limit=50)
        return combined["sha"], sorted(rows, key=lambda row: row["id"])
