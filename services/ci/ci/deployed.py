"""The tag `deployed` of airflow_dags: the commit that Airflow runs.

Airflow does not follow `main` itself: DAGs that do not import would take the old ones out of service.
The tag `deployed-before` is the last commit that Airflow took, to which a failed delivery goes back.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ci.command_settings import DeliverSettings
from ci.errors import DeliverError, GitError
from ci.git import contains, fetch_commit, git
from ci.insist import Say, insist
from ci.sessions import NotYet

TAG, BEFORE, MAIN = "refs/tags/deployed", "refs/tags/deployed-before", "refs/heads/main"
T = TypeVar("T")


@contextmanager
def deployed(settings: DeliverSettings, folder: Path, commit: str, say: Say) -> Iterator[None]:
    """Move the tag to the commit; back where the block does not end well. Raises DeliverError.

    A commit that a deployed one holds already, built once more, moves nothing unless it is main's head.
    """
    remote = Remote(settings, folder, say)
    refs = remote.refs()
    now = refs.get(TAG, "")
    good = refs.get(BEFORE) or (now if now != commit else "")
    if now != commit and remote.holds(now, commit) and commit != refs.get(MAIN):
        yield
        return
    remote.holds(good, commit)  # fetched now, to be there when it is needed
    remote.push({TAG: commit} | ({BEFORE: good} if good else {}))
    say(f"Tag deployed: {commit[:12]}")
    try:
        yield
    except BaseException as error:
        if good and good != commit:
            _put_back(remote, good, error)
        raise
    remote.push({BEFORE: commit})


def _put_back(remote: Remote, good: str, error: BaseException) -> None:
    try:
        remote.push({TAG: good})
    except DeliverError as lost:
        raise DeliverError(f"{error} The tag deployed could not go back to {good[:12]}: {lost}") from error
    remote.say(f"Tag deployed: {good[:12]} again")


@dataclass(frozen=True)
class Remote:
    """The repository that Airflow reads; a server that is away is asked until the time is over."""

    settings: DeliverSettings
    folder: Path
    say: Say

    def refs(self) -> dict[str, str]:
        """Commits of main and of the two tags. Raises DeliverError."""
        wanted = (MAIN, TAG, BEFORE)
        listed = self._insist(lambda env: git(self.folder, "ls-remote", self._url, *wanted, env=env))
        return dict(line.split("\t")[::-1] for line in listed.splitlines())

    def holds(self, version: str, commit: str) -> bool:
        """Whether `version`, which is fetched, has the commit in its history. Raises DeliverError."""
        if not version:
            return False
        self._insist(lambda env: fetch_commit(self.folder, self._url, version, env))
        return contains(self.folder, self._url, version, commit)

    def push(self, commits: dict[str, str]) -> None:
        """Set refs, all or none. Raises DeliverError."""
        specs = [f"{commit}:{ref}" for ref, commit in commits.items()]
        options = ("push", "--quiet", "--force", "--atomic")
        self._insist(lambda env: git(self.folder, *options, self._url, *specs, env=env))

    @property
    def _url(self) -> str:
        return self.settings.repository_url

    def _insist(self, attempt: Callable[[dict[str, str]], T]) -> T:
        env = login(self.settings)

        def patient() -> T:
            try:
                return attempt(env)
            except GitError as error:
                raise NotYet(str(error)) from error

        return insist(patient, self.settings.airflow.timeout, self.say)


def login(settings: DeliverSettings) -> dict[str, str]:
    """Git's configuration for an address that holds no login, as Jenkins gives it: as the loop's user.

    It is in the environment, so that no command line shows it.
    """
    url, gitea = settings.repository_url, settings.gitea
    if not url.startswith("http") or "@" in url:
        return {}
    word = base64.b64encode(f"{gitea.user}:{gitea.token}".encode()).decode()
    header = f"Authorization: Basic {word}"
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
        "GIT_CONFIG_VALUE_0": header,
    }
