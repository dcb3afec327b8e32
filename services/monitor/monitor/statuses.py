"""Gitea's commit status routes, read only; Gitea and services/ci speak them."""

from typing import Any

from monitor.sessions import Server

CI = "ci"
MOST = 50  # rows of one answer
PENDING, SUCCESS, RED = "pending", "success", ("failure", "error")

Row = dict[str, Any]


class Statuses:
    """Commit statuses of one organisation; a user and a token are needed where reading is not open."""

    def __init__(self, url: str, organisation: str, user: str, token: str) -> None:
        self.server = Server("The server of commit statuses", url, (user, token) if user else None)
        self.organisation = organisation

    def newest_ci(self, repository: str, commit: str) -> Row | None:
        """The newest status `ci` of a commit, or None. Raises Away."""
        path = f"/repos/{self.organisation}/{repository}/commits/{commit}/status"
        rows = self.server.json("GET", path, {}).get("statuses") or []
        return next((row for row in rows if row["context"] == CI), None)

    def all_ci(self, repository: str, commit: str) -> list[Row]:
        """The statuses `ci` among the first 50 of a commit, oldest first. Raises Away."""
        path = f"/repos/{self.organisation}/{repository}/statuses/{commit}"
        # In spite of its name Gitea's `highestindex` gives the lowest first.
        rows = self.server.json("GET", path, [], params={"sort": "highestindex", "limit": MOST}) or []
        return sorted((row for row in rows if row["context"] == CI), key=lambda row: row["id"])
