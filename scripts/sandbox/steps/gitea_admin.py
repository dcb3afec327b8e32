"""Gitea's administrator: there, and with the password of .env, on old data too.

Gitea's own command makes it in the container, so that a changed password needs no old one.
"""

from collections.abc import Callable, Sequence
from functools import partial

from sandbox import compose
from sandbox.clients.gitea import ADMIN, Gitea, GiteaAway, GiteaError
from sandbox.context import Context
from sandbox.errors import ServiceError
from sandbox.wait import PATIENCE, patiently

NAME = "gitea"  # of the service
HINT = "Run: make logs SERVICE=gitea"
LAST_WORDS = 500  # characters of a failed command that are shown
LIST = ("gitea", "admin", "user", "list")
# A shell puts the password in: only Gitea's own process, for its second, has it in a list of processes.
CREATE = (
    f"exec gitea admin user create --admin --username {ADMIN} --email {ADMIN}@noreply.invalid"
    ' --must-change-password=false --password="$GITEA_PASSWORD"'
)
CHANGE = (
    f"exec gitea admin user change-password --username {ADMIN}"
    ' --must-change-password=false --password="$GITEA_PASSWORD"'
)
# Runs a command with that password in its environment; answers what it printed. Raises GiteaError.
Run = Callable[[Sequence[str], str], str]


def run(context: Context) -> str:
    """Make the administrator or give it the password; says which, or nothing."""
    settings = context.settings
    url = context.endpoints.status.outside
    return prepare(url, settings.gitea_admin_password, partial(_execute, settings.compose_project_name))


def prepare(url: str, password: str, execute: Run, patience: float = PATIENCE) -> str:
    """The same with plain values; `execute` is not called where the login works. Raises GiteaError."""
    gitea = Gitea(url, password)
    if not patiently(gitea.refuses_login, GiteaAway, patience):
        return ""
    known = ADMIN in _names(execute(LIST, ""))
    execute(("sh", "-c", CHANGE if known else CREATE), password)
    if patiently(gitea.refuses_login, GiteaAway, patience):
        raise GiteaError(
            f"B21 Gitea at {url} refuses {ADMIN}, whose password it has just taken: is another Gitea there?",
            401,
            "Run: make status",
        )
    return f"password of {ADMIN} in Gitea" if known else f"user {ADMIN} in Gitea"


def _names(table: str) -> list[str]:
    """The second column of `gitea admin user list`: `ID Username Email …`."""
    return [cells[1] for cells in map(str.split, table.splitlines()) if len(cells) > 1 and cells[0].isdigit()]


def _execute(project: str, command: Sequence[str], password: str) -> str:
    environment = {"GITEA_PASSWORD": password} if password else {}
    try:
        code, said = compose.execute(project, NAME, command, environment)
    except ServiceError as error:
        raise GiteaError(f"B24 {error}", hint=error.hint) from error
    if code:
        raise _failure(code, said, password)
    return said


def _failure(code: int, said: str, password: str) -> GiteaError:
    """What Gitea's command said last, without the password."""
    shown = (said.replace(password, "…") if password else said).strip()[-LAST_WORDS:]
    return GiteaError(f"B24 Gitea's command for its users ended with {code}: {shown}", hint=HINT)
