"""What a state folder remembers: the environment of its start, and the key its data is sealed with."""

import hashlib
import json
from pathlib import Path

from sandbox.errors import SettingsError
from sandbox.settings import machine_environment, write_private


def remember_machine(state: Path) -> None:
    """Keep the environment of the start: `make up` from another shell then restarts nothing."""
    write_private(state / "machine.json", json.dumps(machine_environment()))


def remembered_machine(state: Path) -> dict[str, str]:
    """The environment of the start, or of now where nothing was started."""
    path = state / "machine.json"
    return dict(json.loads(path.read_text())) if path.exists() else machine_environment()


def refuse_changed_key(state: Path, key: str) -> None:
    """Raises SettingsError if the state was made with another Fernet key."""
    path = state / "fernet.sha256"
    digest = hashlib.sha256(key.encode()).hexdigest()
    if not path.exists():
        write_private(path, digest)
    elif path.read_text() != digest:
        raise SettingsError(
            "S01 AIRFLOW_FERNET_KEY in .env is not the key that the stored data was sealed with.",
            "Put the old key back into .env, or delete the data: make destroy",
        )
