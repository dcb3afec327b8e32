"""The keys that stored data is sealed with: remembered beside the data, so that another one is refused."""

import hashlib

from sandbox.clients.mysql import ADMIN, MySql, MySqlAway
from sandbox.context import Context
from sandbox.errors import SettingsError
from sandbox.wait import PATIENCE, patiently

KEYS = ("AIRFLOW_FERNET_KEY", "GITEA_SECRET_KEY", "GRAFANA_SECRET_KEY")


def run(context: Context) -> str:
    """Remember each key's digest at its first use. Raises SettingsError (S01) that names the changed ones."""
    settings = context.settings
    digests = {name: _digest(getattr(settings, name.lower())) for name in KEYS}
    with patiently(
        lambda: MySql(settings.mysql_port, settings.mysql_admin_password), MySqlAway, PATIENCE
    ) as server:
        server.put_database(ADMIN)
        known = server.remembered()
        refuse_changed(known, digests)
        new = {name: digest for name, digest in digests.items() if name not in known}
        server.remember(new)
    return f"remembered {', '.join(new)}" if new else ""


def refuse_changed(known: dict[str, str], digests: dict[str, str]) -> None:
    """Raises SettingsError that asks for every changed key by its name."""
    changed = [name for name, digest in digests.items() if known.get(name, digest) != digest]
    if changed:
        raise SettingsError(
            f"S01 {', '.join(changed)} in .env: not what the data in the volumes was sealed with.",
            "Put the old value back into .env; if it is lost, so is the data: make destroy",
        )


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
