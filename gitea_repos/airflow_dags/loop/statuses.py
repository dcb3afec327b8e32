"""Commit statuses: what CI said of a commit, and the loop's own, by Gitea's two status routes."""

import logging
from dataclasses import dataclass

from loop.errors import LoopError
from loop.http import Service
from loop.settings import Settings

log = logging.getLogger(__name__)

SECONDS = (2, 5)  # to connect, to answer: nothing waits long for a status
LONGEST = 250  # Gitea cuts a description at 255 characters


@dataclass(frozen=True)
class Status:
    """What one context says of a commit."""

    state: str
    description: str


class Statuses:
    """The statuses of the organisation's commits."""

    def __init__(self, settings: Settings) -> None:
        self.organisation = settings.organisation
        login = settings.status_user, settings.status_token
        self.service = Service("The status server", settings.status_url, login)

    def of(self, repository: str, commit: str) -> dict[str, Status]:
        """The newest status of each context of a commit."""
        path = f"/repos/{self.organisation}/{repository}/commits/{commit}/status"
        found = self.service.json("GET", path).get("statuses") or []
        return {each["context"]: Status(each["status"], each.get("description", "")) for each in found}

    def post(
        self, repository: str, commit: str, context: str, state: str, description: str, url: str
    ) -> None:
        """Set a status, as well as can be: a status server that is away is logged and stops nothing."""
        path = f"/repos/{self.organisation}/{repository}/statuses/{commit}"
        text = description if len(description) <= LONGEST else description[: LONGEST - 1] + "…"
        body = {"context": context, "state": state, "description": text, "target_url": url}
        try:
            self.service.call("POST", path, json=body, timeout=SECONDS)
        except LoopError as error:
            log.warning("The status %s of %s was not set: %s", context, commit[:12], error)
