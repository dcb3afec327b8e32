"""MySQL's databases and the logins of those that use them (docs/architecture.md, seam 10)."""

from collections.abc import Mapping

from sandbox.clients.mysql import Account, MySql, MySqlAway, all_of
from sandbox.context import Context
from sandbox.wait import PATIENCE, patiently

OWNERS = ("mlflow", "airflow", "serving")  # a database and its user
SHOWN = ("mlflow", "serving")  # what Grafana may read
USERS = (*OWNERS, "grafana", "exporter")
EXPORTER_CONNECTIONS = 3


def run(context: Context) -> str:
    """Put databases, users, passwords and grants right; says what changed, or nothing."""
    settings = context.settings
    passwords = {name: getattr(settings, f"mysql_{name}_password") for name in USERS}
    return prepare(settings.mysql_port, settings.mysql_admin_password, passwords)


def prepare(port: int, admin_password: str, passwords: Mapping[str, str], patience: float = PATIENCE) -> str:
    """The same with plain values; `passwords` by user name. Raises MySqlError."""
    with patiently(lambda: MySql(port, admin_password), MySqlAway, patience) as server:
        done = [server.put_database(name) for name in OWNERS]
        done += [server.put_account(account) for account in accounts(passwords)]
    return ", ".join(filter(None, done))


def accounts(passwords: Mapping[str, str]) -> list[Account]:
    """Owners may do all in their own database; Grafana reads; the exporter sees figures, no rows."""
    owners = [Account(name, passwords[name], {all_of(name): ("ALL PRIVILEGES",)}) for name in OWNERS]
    readable = {all_of(name): ("SELECT",) for name in SHOWN}
    figures = {"*.*": ("PROCESS", "REPLICATION CLIENT")}
    return [
        *owners,
        Account("grafana", passwords["grafana"], readable),
        Account("exporter", passwords["exporter"], figures, EXPORTER_CONNECTIONS),
    ]
