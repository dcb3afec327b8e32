"""Airflow's metadata database of the embedded driver: made once, and again for another Airflow."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sandbox.drivers.environments import environment_digest
from sandbox.drivers.processes import airflow_database, executable
from sandbox.errors import ServiceError


def is_migrated(state: Path) -> bool:
    """Whether the database fits the installed Airflow."""
    stamp = _stamp(state)
    return stamp.exists() and stamp.read_text() == environment_digest("airflow")


def migrate(state: Path, environment: dict[str, str]) -> None:
    """Bring the database to the installed Airflow's schema. Raises ServiceError."""
    command = [executable(state, "airflow", "airflow"), "db", "migrate"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    (state / "logs" / "airflow-migrate.log").write_text(result.stdout + result.stderr)
    if result.returncode:
        raise ServiceError(
            "Airflow's database could not be prepared.", "Run: make logs SERVICE=airflow-migrate"
        )
    with closing(sqlite3.connect(airflow_database(state))) as database:
        database.execute("PRAGMA journal_mode=WAL")  # readers and the writer do not wait for each other
    _stamp(state).write_text(environment_digest("airflow"))


def _stamp(state: Path) -> Path:
    return state / "airflow" / ".migrated"
