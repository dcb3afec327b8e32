"""`python -m mlflow_server.schema`: bring an older MLflow's database to this one's schema, before the start.

`mlflow db upgrade` costs seconds even where there is nothing to do, so the revision is compared first. An
empty database is left to the server, which makes its tables itself.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import sqlalchemy

#: How a migration of Alembic names itself and the one it builds on.
_LINE = re.compile(r"""^(down_)?revision\s*=\s*["'](\w+)["']""", re.MULTILINE)


class SchemaError(Exception):
    """The database is of an MLflow that this one does not know."""


def main() -> None:
    """Upgrade the database of MLFLOW_BACKEND_STORE_URI if it is older."""
    uri = os.environ["MLFLOW_BACKEND_STORE_URI"]
    try:
        if needs_upgrade(stored_revision(uri)):
            subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", uri], check=True)
    except SchemaError as error:
        sys.exit(f"MLflow's database cannot be used: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"MLflow's database was not upgraded: mlflow db upgrade ended with {error.returncode}.")
    except sqlalchemy.exc.DBAPIError as error:
        sys.exit(f"MLflow's database does not answer: {error.orig}")


def needs_upgrade(stored: str | None) -> bool:
    """Whether a database of this revision is older than MLflow. Raises SchemaError where it is newer."""
    revisions, parents = known_revisions()
    if stored and stored not in revisions:
        raise SchemaError(
            f"its schema {stored} is of a newer MLflow. Go back to that version, or destroy the database."
        )
    return stored in parents


def known_revisions() -> tuple[set[str], set[str]]:
    """All revisions of the installed MLflow, and those that another builds on. MLflow is not imported."""
    revisions, parents = set(), set()
    for path in _migrations():
        for is_parent, revision in _LINE.findall(path.read_text()):
            (parents if is_parent else revisions).add(revision)
    return revisions, parents


def _migrations() -> list[Path]:
    folder = "mlflow/store/db_migrations/versions"
    return [Path(file.locate()) for file in files("mlflow") or () if file.parent.as_posix() == folder]


def stored_revision(uri: str) -> str | None:
    """The revision of the database, None where it has no tables yet."""
    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            if not sqlalchemy.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
    finally:
        engine.dispose()


if __name__ == "__main__":
    main()
