"""The tag `deployed` of airflow_dags: the commit that Airflow runs.

Airflow does not follow `main` itself: DAGs that do not import would take the old ones out of service.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci.command_settings import DeliverSettings
from ci.errors import DeliverError
from ci.git import contains, git
from ci.insist import Say

TAG, MAIN = "refs/tags/deployed", "refs/heads/main"


@contextmanager
def deployed(settings: DeliverSettings, folder: Path, commit: str, say: Say) -> Iterator[None]:
    """Move the tag to the commit; back where the block ends by DeliverError. Raises GitError.

    A commit that a deployed one holds already, built once more, moves nothing unless it is main's head.
    """
    remote, env = settings.repository_url, login(settings)
    refs = dict(line.split("\t")[::-1] for line in _list(folder, remote, env))
    old = refs.get(TAG, "")
    if commit == old or (old and commit != refs.get(MAIN) and contains(folder, remote, old, commit, env)):
        yield
        return
    _push(folder, remote, commit, env)
    say(f"Tag deployed: {commit[:12]}")
    try:
        yield
    except DeliverError:
        if old:
            _push(folder, remote, old, env)
            say(f"Tag deployed: {old[:12]} again")
        raise


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


def _list(folder: Path, remote: str, env: dict[str, str]) -> list[str]:
    return git(folder, "ls-remote", remote, MAIN, TAG, env=env).splitlines()


def _push(folder: Path, remote: str, commit: str, env: dict[str, str]) -> None:
    git(folder, "push", "--quiet", "--force", remote, f"{commit}:{TAG}", env=env)
