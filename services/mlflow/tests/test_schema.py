"""The database is upgraded when it is older, and only then."""

import re
from pathlib import Path

import pytest
import sqlalchemy
from mlflow.store.db.utils import _get_latest_schema_revision

from mlflow_server.schema import SchemaError, known_revisions, needs_upgrade, stored_revision


def _database(folder: Path, revision: str) -> str:
    uri = f"sqlite:///{folder}/mlflow.db"
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(sqlalchemy.text(f"INSERT INTO alembic_version VALUES ('{revision}')"))
    engine.dispose()
    return uri


def test_the_only_revision_without_a_successor_is_mlflows_own_head() -> None:
    revisions, parents = known_revisions()
    assert revisions - parents == {_get_latest_schema_revision()}


def test_an_empty_database_is_left_to_the_server(tmp_path: Path) -> None:
    assert stored_revision(f"sqlite:///{tmp_path}/mlflow.db") is None
    assert not needs_upgrade(None)


def test_the_revision_is_read_from_the_database(tmp_path: Path) -> None:
    assert stored_revision(_database(tmp_path, "abc123")) == "abc123"


def test_an_older_schema_is_upgraded_and_the_present_one_is_not() -> None:
    _, parents = known_revisions()
    assert all(needs_upgrade(parent) for parent in parents)
    assert not needs_upgrade(_get_latest_schema_revision())


def test_a_newer_schema_is_refused_by_name() -> None:
    with pytest.raises(SchemaError, match=re.escape("schema abc123")):
        needs_upgrade("abc123")
