"""Commit statuses, kept and combined as Gitea does."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ci.store import Store

CONTEXT = "ci"  # of the status that CI itself sets
STATES = ("pending", "success", "error", "failure", "warning", "skipped")
# Gitea's words; its `leastindex` does give the highest index first
ORDERS = {
    "oldest": "created_at, id",
    "recentupdate": "created_at DESC, id DESC",
    "leastupdate": "created_at, id",
    "leastindex": "id DESC",
    "highestindex": "id",
}
NEWEST = "created_at DESC, id DESC"
DESCRIPTION_LIMIT = 255
LATEST = "id IN (SELECT max(id) FROM statuses WHERE repository = ? AND sha = ? GROUP BY context)"


@dataclass(frozen=True)
class Status:
    """One status of a commit; `created_at` in Unix seconds."""

    id: int
    repository: str
    sha: str
    context: str
    state: str
    description: str
    target_url: str
    creator: str
    created_at: float


@dataclass(frozen=True)
class Statuses:
    """The statuses in the store. A status is never changed, a newer one of its context replaces it."""

    store: Store

    def add(
        self, repository: str, sha: str, state: str, context: str, description: str = "", target_url: str = ""
    ) -> Status:
        """Keep one more status of a commit and give it back."""
        with self.store.writing() as connection:
            cursor = connection.execute(
                "INSERT INTO statuses (repository, sha, context, state, description, target_url,"
                " creator, created_at) VALUES (?, ?, ?, ?, ?, ?, 'ci', ?)",
                (repository, sha, context, state, description[:DESCRIPTION_LIMIT], target_url, time.time()),
            )
        return Status(**self.store.rows("SELECT * FROM statuses WHERE id = ?", cursor.lastrowid)[0])

    def all(self, repository: str, sha: str, sort: str = "", state: str = "") -> list[Status]:
        """Every status of a commit, the newest first unless sorted otherwise."""
        query = (
            "SELECT * FROM statuses WHERE repository = ? AND sha = ? AND (? = '' OR state = ?)"
            f" ORDER BY {ORDERS.get(sort, NEWEST)}"
        )
        return [Status(**row) for row in self.store.rows(query, repository, sha, state, state)]

    def latest(self, repository: str, sha: str) -> list[Status]:
        """The newest status of each context, the newest first."""
        query = f"SELECT * FROM statuses WHERE {LATEST} ORDER BY id DESC"
        return [Status(**row) for row in self.store.rows(query, repository, sha)]

    def described(self, sha: str, context: str) -> list[str]:
        """The descriptions that a context of a commit has now, one for each repository that holds it."""
        query = (
            "SELECT description FROM statuses WHERE id IN"
            " (SELECT max(id) FROM statuses WHERE sha = ? AND context = ? GROUP BY repository)"
        )
        return [row["description"] for row in self.store.rows(query, sha, context)]


def combine(states: list[str]) -> str:
    """The state of a commit: failure beats pending beats success, nothing is pending."""
    if any(state in ("error", "failure") for state in states):
        return "failure"
    return "pending" if not states or "pending" in states else "success"
