"""What ties Gitea to the loop: its user and the protection of main, then signed push hooks to Jenkins.

Only a real Gitea has these routes: the tests' stand-in signs and sends pushes by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sandbox.clients.gitea import Gitea, GiteaAway
from sandbox.context import Context
from sandbox.endpoints import LOOP
from sandbox.settings import ORGANISATION, REPOSITORIES
from sandbox.wait import PATIENCE, patiently

CHECK = "ci"  # the commit status that a merge into main waits for


@dataclass(frozen=True)
class Wiring:
    """Where Gitea sends pushes, and of .env the administrator's, the loop user's and the hooks' secrets."""

    hook_url: str
    admin_password: str = field(repr=False)
    loop_password: str = field(repr=False)
    webhook_secret: str = field(repr=False)


Part = Callable[[Gitea, Wiring], list[str]]


def give_rights(context: Context) -> str:
    """Put user, rights and protection right, before Jenkins logs in as that user; says what changed."""
    return prepare(context.endpoints.status.outside, _wiring(context), RIGHTS)


def hang_hooks(context: Context) -> str:
    """Put the hooks right, when Jenkins is there to answer; says what changed, or nothing."""
    return prepare(context.endpoints.status.outside, _wiring(context), HOOKS)


def _wiring(context: Context) -> Wiring:
    settings = context.settings
    secrets = (settings.gitea_admin_password, settings.ci_token, settings.ci_webhook_secret)
    return Wiring(context.endpoints.hook_url, *secrets)


def prepare(url: str, wiring: Wiring, parts: tuple[Part, ...], patience: float = PATIENCE) -> str:
    """The same with plain values; `url` is the root of Gitea's API. Raises GiteaError."""
    gitea = Gitea(url, wiring.admin_password)
    done = [
        change for part in parts for change in patiently(partial(part, gitea, wiring), GiteaAway, patience)
    ]
    return ", ".join(done)


def _user(gitea: Gitea, wiring: Wiring) -> list[str]:
    change = gitea.put_bot(LOOP, wiring.loop_password)
    return [change] if change else []


def _writers(gitea: Gitea, _: Wiring) -> list[str]:
    return [f"{LOOP} in {name}" for name in REPOSITORIES if gitea.put_writer(ORGANISATION, name, LOOP)]


def _hooks(gitea: Gitea, wiring: Wiring) -> list[str]:
    done = [
        gitea.put_push_hook(ORGANISATION, name, f"{wiring.hook_url}?token={name}", wiring.webhook_secret)
        for name in REPOSITORIES
    ]
    return [change for change in done if change]


def _protection(gitea: Gitea, _: Wiring) -> list[str]:
    done = [name for name in REPOSITORIES if gitea.put_protection(ORGANISATION, name, CHECK)]
    return [f"protection of {name}" for name in done]


# In order; each part looks, makes what is missing and names it.
RIGHTS: tuple[Part, ...] = (_user, _writers, _protection)
HOOKS: tuple[Part, ...] = (_hooks,)
