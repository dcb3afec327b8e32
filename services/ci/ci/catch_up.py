"""`ci catch-up`: sends Jenkins what Gitea would have sent, for each branch head that was not built.

Gitea delivers a push once. A head is missed where it has no status `ci`, or one that is pending for longer
than a build may take; the head of `main` also where other branches alone had it built: these builds deliver
nothing. Two looks with a pause between them, because a delivery may just be on its way.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ci.command_settings import CatchUpSettings
from ci.errors import CatchUpError, CiError, GiteaError
from ci.gitea_client import Gitea, Head
from ci.insist import Say
from ci.jenkins_client import Jenkins, is_build
from ci.payload import head_payload
from ci.sessions import Away, NotYet
from ci.statuses import CONTEXT

STALE = timedelta(minutes=75)  # a build is stopped after 60, and sets the status anew at each of its stages
PAUSE = 20.0  # seconds
MAIN = "main"  # the branch whose builds deliver


@dataclass(frozen=True)
class Missed:
    """A branch head that nobody builds."""

    repository: str
    head: Head

    def __str__(self) -> str:
        return f"{self.repository} {self.head.branch} {self.head.sha[:12]}"


class CatchUp:
    """One search through all repositories; what fails is kept in `problems` and stops nothing else."""

    def __init__(self, settings: CatchUpSettings, say: Say) -> None:
        self.user = settings.gitea.user
        self.say = say
        self.gitea = Gitea(settings.gitea)
        self.jenkins = Jenkins(settings)
        self.problems: list[str] = []
        self.looked_at = self.missed = self.sent = 0

    def look(self, repository: str, among: Collection[Missed] | None = None) -> Iterator[Missed]:
        """The missed heads of a repository; where `among` is given no other head is asked for its status."""
        try:
            heads = [Missed(repository, head) for head in self.gitea.heads(repository)]
            yield from filter(self._is_missed, heads if among is None else (h for h in heads if h in among))
        except (CiError, NotYet) as error:
            self._note(repository, error)

    def _is_missed(self, head: Missed) -> bool:
        """Whether nobody builds a head; one whose status cannot be read hides no other. Raises Away."""
        self.looked_at += 1
        try:
            own = newest_status(self.gitea.combined(head.repository, head.head.sha).get("statuses") or [])
            return is_missed(own) or (head.head.branch == MAIN and self._is_of_others(head, own))
        except Away:
            raise
        except (CiError, NotYet) as error:
            self._note(str(head), error)
            return False

    def _is_of_others(self, head: Missed, newest: dict[str, Any]) -> bool:
        """Whether other branches alone had this head of `main` built, as far as Jenkins remembers."""
        if newest["status"] == "pending" or self._branch_of(newest) in (None, MAIN):
            return False
        statuses = self.gitea.statuses(head.repository, head.head.sha)
        builds = [
            status for status in statuses if status.get("context") == CONTEXT and is_build(page(status))
        ]
        return not any(self._branch_of(build) in (None, MAIN) for build in builds)

    def _branch_of(self, status: dict[str, Any]) -> str | None:
        try:
            return self.jenkins.branch_of(page(status))
        except Away as error:  # of Jenkins: Gitea's next branches can be looked at
            raise CatchUpError(str(error)) from error

    def send_again(self, first: Collection[Missed]) -> None:
        """Look at these a second time and send what is missed still, one repository after the other."""
        try:
            for repository in dict.fromkeys(missed.repository for missed in first):
                self._send_those_of(repository, first)
        except NotYet:
            self.say("Jenkins takes nothing now: what is left waits for the next time")

    def _send_those_of(self, repository: str, first: Collection[Missed]) -> None:
        try:
            shown = self.gitea.writable(repository)
        except (CiError, NotYet) as error:
            self._note(repository, error)
            return
        for missed in self.look(repository, first):
            self.missed += 1
            self._send(missed, shown)

    def _send(self, missed: Missed, shown: dict[str, Any]) -> None:
        """Send one head to Jenkins; `shown` is how Gitea shows its repository. Raises NotYet."""
        payload = head_payload(shown, missed.head.branch, missed.head.commit, self.user)
        try:
            self.jenkins.send(missed.repository, payload)
        except (CiError, NotYet) as error:
            self._note(str(missed), error)
            if isinstance(error, NotYet):
                raise
            return
        self.sent += 1
        self.say(f"{missed}: sent again")

    def _note(self, where: str, error: Exception) -> None:
        self.problems.append(f"{where}: {str(error).rstrip('.')}")


def catch_up(settings: CatchUpSettings, say: Say, pause: float = PAUSE) -> None:
    """Send what was missed. Raises CatchUpError at the end, where something failed."""
    search = CatchUp(settings, say)
    first = [missed for repository in settings.repositories for missed in search.look(repository)]
    looked_at = search.looked_at
    if first:
        time.sleep(pause)
    search.send_again(first)
    # `sandbox doctor` reads this line too
    say(f"branch heads looked at: {looked_at}, missed: {search.missed}, sent again: {search.sent}")
    if search.problems:
        raise CatchUpError("; ".join(dict.fromkeys(search.problems)))


def newest_status(statuses: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of the newest statuses of each context that of CI; None: there is none. Raises GiteaError."""
    try:
        return next((status for status in statuses if status["context"] == CONTEXT), None)
    except (KeyError, TypeError) as error:
        raise unreadable(error) from error


def is_missed(newest: dict[str, Any] | None) -> bool:
    """Whether the newest status of CI says that nobody builds a commit. Raises GiteaError."""
    if newest is None:
        return True
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(newest["created_at"]).astimezone(UTC)
        return newest["status"] == "pending" and age > STALE
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(error) from error


def unreadable(error: Exception) -> GiteaError:
    """What to say of a status that is none of Gitea's."""
    return GiteaError(f"Gitea gave a status that cannot be read ({error!r}).")


def page(status: dict[str, Any]) -> str:
    """Where a status leads; empty for one that leads nowhere."""
    return str(status.get("target_url") or "")
