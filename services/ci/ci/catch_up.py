"""`ci catch-up`: sends Jenkins what Gitea would have sent, for each branch head that was not built.

Gitea delivers a push once. A head is missed where it has no status `ci`, or one that is pending for longer
than a build may take. Two looks with a pause between them, because a delivery may just be on its way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from ci.command_settings import CatchUpSettings
from ci.errors import CatchUpError, CiError, GiteaError
from ci.gitea_client import Gitea, Head
from ci.insist import Say
from ci.payload import head_payload
from ci.sessions import NotYet, call, session_for, text_of
from ci.signature import push_headers
from ci.statuses import CONTEXT

STALE = timedelta(minutes=75)  # a build is stopped after 60, and the newest status is that of its start
PAUSE = 20.0  # seconds
HINTS = {
    403: "check CI_WEBHOOK_SECRET, which Jenkins and Gitea must have too",
    404: "Jenkins has no job for it; the job that makes the jobs says why",
}


@dataclass(frozen=True)
class Missed:
    """A branch head that nobody builds; `shown` is how Gitea shows the repository."""

    repository: str
    head: Head
    shown: dict[str, Any] = field(compare=False)

    def __str__(self) -> str:
        return f"{self.repository} {self.head.branch} {self.head.sha[:12]}"


class CatchUp:
    """One search through all repositories; what fails in one is kept in `problems` and stops no other."""

    def __init__(self, settings: CatchUpSettings, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.gitea = Gitea(settings.gitea)
        self.jenkins = session_for(settings.hook_url)
        self.problems: list[str] = []
        self.looked_at = 0

    def look(self, repositories: Iterable[str]) -> list[Missed]:
        """The missed heads of these repositories."""
        found: list[Missed] = []
        for repository in repositories:
            try:
                found += self._missed(repository)
            except (CiError, NotYet) as error:
                self._note(repository, error)
        return found

    def _missed(self, repository: str) -> Iterator[Missed]:
        for head in self.gitea.heads(repository):
            combined = self.gitea.combined(repository, head.sha)
            self.looked_at += 1
            if is_missed(combined.get("statuses") or []):
                yield Missed(repository, head, self._shown(repository) | (combined.get("repository") or {}))

    def _shown(self, repository: str) -> dict[str, Any]:
        """What a payload has at least."""
        owner = self.settings.gitea.organisation
        return {"name": repository, "full_name": f"{owner}/{repository}", "owner": {"login": owner}}

    def _note(self, where: str, error: Exception) -> None:
        self.problems.append(f"{where}: {str(error).rstrip('.')}")

    def send(self, missed: Missed) -> bool:
        """Send one head to Jenkins; whether it was taken."""
        head = missed.head
        payload = head_payload(missed.shown, head.branch, head.commit, self.settings.gitea.user)
        body = json.dumps(payload).encode()
        headers = push_headers(self.settings.webhook_secret, body)
        token = {"token": missed.repository}
        try:
            check(
                call(self.jenkins, "POST", self.settings.hook_url, params=token, data=body, headers=headers)
            )
        except (CiError, NotYet) as error:
            self._note(str(missed), error)
            return False
        self.say(f"{missed}: sent again")
        return True


def catch_up(settings: CatchUpSettings, say: Say, pause: float = PAUSE) -> None:
    """Send what was missed. Raises CatchUpError at the end, where a repository or Jenkins failed."""
    search = CatchUp(settings, say)
    first = search.look(settings.repositories)
    looked_at = search.looked_at
    if first:
        time.sleep(pause)
    again = dict.fromkeys(missed.repository for missed in first)
    still = [missed for missed in search.look(again) if missed in first]
    sent = sum(search.send(missed) for missed in still)
    say(f"branch heads looked at: {looked_at}, missed: {len(still)}, sent again: {sent}")
    if search.problems:
        raise CatchUpError("; ".join(dict.fromkeys(search.problems)))


def is_missed(statuses: list[dict[str, Any]]) -> bool:
    """Whether the newest statuses of a commit say that nobody builds it. Raises GiteaError."""
    try:
        own = next((status for status in statuses if status["context"] == CONTEXT), None)
        if own is None:
            return True
        age = datetime.now(UTC) - datetime.fromisoformat(own["created_at"]).astimezone(UTC)
        return own["status"] == "pending" and age > STALE
    except (KeyError, TypeError, ValueError) as error:
        raise GiteaError(f"Gitea gave a status that cannot be read ({error!r}).") from error


def check(response: requests.Response) -> None:
    """Raise CatchUpError unless Jenkins has queued a build."""
    url = response.url
    if response.status_code != 200:
        hint = HINTS.get(response.status_code, "check CI_HOOK_URL")
        raise CatchUpError(f"{url} refused it ({response.status_code}): {text_of(response)}; {hint}")
    try:
        jobs = response.json()["jobs"]
        if any(isinstance(job, dict) and job.get("triggered") for job in jobs.values()):
            return
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CatchUpError(f"what answers at {url} is not Jenkins; check CI_HOOK_URL") from error
    raise CatchUpError(f"{url} took it but starts no build ({str(jobs)[:300]}); check the filter of the job")
