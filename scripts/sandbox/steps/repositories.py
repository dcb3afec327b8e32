"""The organisation and its repositories in Gitea."""

from collections.abc import Callable
from functools import partial

from sandbox.clients.gitea import Gitea, GiteaAway
from sandbox.context import Context
from sandbox.settings import ORGANISATION, REPOSITORIES
from sandbox.wait import PATIENCE, patiently


def run(context: Context) -> str:
    """Make what is missing; says what that was, or nothing."""
    settings = context.settings
    return prepare(context.endpoints.status.outside, settings.gitea_admin_password)


def prepare(url: str, admin_password: str, patience: float = PATIENCE) -> str:
    """The same with plain values; `url` is the root of Gitea's API. Raises GiteaError."""
    gitea = Gitea(url, admin_password)
    done = [change for part in PARTS for change in patiently(partial(part, gitea), GiteaAway, patience)]
    return ", ".join(done)


def _organisation(gitea: Gitea) -> list[str]:
    return [f"organisation {ORGANISATION}"] if gitea.put_organisation(ORGANISATION) else []


def _repositories(gitea: Gitea) -> list[str]:
    return [name for name in REPOSITORIES if gitea.put_repository(ORGANISATION, name)]


# In order; each part looks, makes what is missing and names it.
PARTS: tuple[Callable[[Gitea], list[str]], ...] = (_organisation, _repositories)
