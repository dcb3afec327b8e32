"""What ties Gitea to the loop: its user, signed push hooks to Jenkins, the protection of main.

Only a real Gitea has these routes: the tests' stand-in signs and sends pushes by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sandbox.clients.gitea import Gitea, GiteaAway
from sandbox.context import REPOSITORIES, Context
from sandbox.endpoints import LOOP
from sandbox.settings import ORGANISATION
from sandbox.wait import PATIENCE, patiently

CHECK = "ci"  # the commit status that a merge into main waits for
TRIGGER = "http://jenkins:8080/generic-webhook-trigger/invoke?token={repository}"


@dataclass(frozen=True)
class Secrets:
    """Of .env: of the administrator, of the loop's user, and what hooks are signed with."""

    admin_password: str = field(repr=False)
    loop_password: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def run(context: Context) -> str:
    """Put user, rights, hooks and protection right; says what changed, or nothing."""
    settings = context.settings
    secrets = Secrets(settings.gitea_admin_password, settings.ci_token, settings.ci_webhook_secret)
    return prepare(f"http://127.0.0.1:{settings.gitea_port}/api/v1", secrets)


def prepare(url: str, secrets: Secrets, patience: float = PATIENCE) -> str:
    """The same with plain values; `url` is the root of Gitea's API. Raises GiteaError."""
    gitea = Gitea(url, secrets.admin_password)
    done = [
        change for part in PARTS for change in patiently(partial(part, gitea, secrets), GiteaAway, patience)
    ]
    return ", ".join(done)


def _user(gitea: Gitea, secrets: Secrets) -> list[str]:
    change = gitea.put_bot(LOOP, secrets.loop_password)
    return [change] if change else []


def _writers(gitea: Gitea, _: Secrets) -> list[str]:
    return [f"{LOOP} in {name}" for name in REPOSITORIES if gitea.put_writer(ORGANISATION, name, LOOP)]


def _hooks(gitea: Gitea, secrets: Secrets) -> list[str]:
    done = [
        gitea.put_push_hook(ORGANISATION, name, TRIGGER.format(repository=name), secrets.webhook_secret)
        for name in REPOSITORIES
    ]
    return [change for change in done if change]


def _protection(gitea: Gitea, _: Secrets) -> list[str]:
    done = [name for name in REPOSITORIES if gitea.put_protection(ORGANISATION, name, CHECK)]
    return [f"protection of {name}" for name in done]


# In order; each part looks, makes what is missing and names it.
PARTS: tuple[Callable[[Gitea, Secrets], list[str]], ...] = (_user, _writers, _hooks, _protection)
