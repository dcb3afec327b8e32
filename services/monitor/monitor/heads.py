"""The heads of `main`: whether CI knows them, builds them, or has turned them red."""

import time
from typing import Any

from monitor import events, git
from monitor.statuses import RED, Row, Statuses
from monitor.store import Store

HEADS = "heads"

Head = dict[
    str, Any
]  # commit; since: when it was first seen; ci: state or None; told: it is red, and that is known


class HeadWatch:
    """Looks at Git and at the statuses of what it names."""

    def __init__(self, store: Store, statuses: Statuses, git_url: str, repositories: tuple[str, ...]) -> None:
        self.store, self.statuses = store, statuses
        self.git_url, self.repositories = git_url, repositories

    def look_at_git(self) -> None:
        """See what `main` is in each repository. Raises Away."""
        heads: dict[str, Head] = self.store.known(HEADS) or {}
        for name in self.repositories:
            commit = git.head(f"{self.git_url}/{name}.git")
            if commit and commit != heads.get(name, {}).get("commit"):
                first = name not in heads  # what is red by now is no news
                heads = heads | {name: {"commit": commit, "since": time.time(), "ci": None, "told": first}}
        self.store.know(HEADS, heads)

    def look_at_statuses(self) -> None:
        """See what CI says of each head. Raises Away."""
        heads: dict[str, Head] = self.store.known(HEADS) or {}
        if not heads:  # Git has told nothing yet; whether this server answers is to be known all the same
            self.statuses.newest_ci(self.repositories[0], "main")
        for name, head in heads.items():
            status = self.statuses.newest_ci(name, head["commit"])
            with self.store.writing():
                self._know(name, head, status)

    def _know(self, name: str, head: Head, status: Row | None) -> None:
        state = status["status"] if status else None
        red = state in RED
        if status and red and not head["told"]:
            at = status.get("updated_at") or status["created_at"]
            event = events.of_red_build(name, head["commit"], at, status.get("description") or "")
            self.store.add_event(f"ci/{name}/{head['commit']}", event)
        now = head | {"ci": state, "told": red}
        self.store.know(HEADS, {**self.store.known(HEADS), name: now})
