"""The two tables, and the way to a database that may be SQLite or MySQL.

Others read them by these names: docs/architecture.md, seam 15.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import mysql

from prediction_api.prediction_log.encoding import to_json

#: Seconds that a database gets to let us in, and to answer a statement or let go of a lock.
ANSWER_SECONDS = 3
#: What PyMySQL is told; it knows whole seconds.
MYSQL = {
    "charset": "utf8mb4",
    "connect_timeout": ANSWER_SECONDS,
    "read_timeout": ANSWER_SECONDS,
    "write_timeout": ANSWER_SECONDS,
}
#: What is logged stays out of error messages, which go into the service's own log.
COMMON: dict[str, Any] = {"json_serializer": to_json, "hide_parameters": True}
#: Lengths in characters. A request id has at most 128, printable() gives names and tags at most 200.
ID, NAME = 128, 200

#: Execution option of a transaction that writes nothing.
READS = "prediction_api_reads"

metadata = MetaData()
# Ids and labels differ by case; MySQL's own collation would not see it.
BINARY = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
UTC_MICROSECONDS = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")

predictions = Table(
    "predictions",
    metadata,
    # One for each request and model, in order of time: an id that a client uses again is told apart by it.
    Column("entry", String(32), primary_key=True),
    Column("row", Integer, primary_key=True, quote=True, autoincrement=False),
    Column("at", UTC_MICROSECONDS, nullable=False),
    Column("request_id", String(ID), nullable=False),
    Column("model", String(NAME), nullable=False),
    Column("version", String(NAME), nullable=False),
    Column("git_sha", String(NAME), nullable=False),
    Column("data_version", String(NAME), nullable=False),
    Column("role", String(16), nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("prediction", JSON, nullable=False),
    Column("confidence", Double),
    Column("ms", Double, nullable=False),
    Index("predictions_at", "at"),
    Index("predictions_request", "request_id", "entry"),
    **BINARY,
)

feedback = Table(
    "feedback",
    metadata,
    Column("request_id", String(ID), primary_key=True),
    Column("row", Integer, primary_key=True, quote=True, autoincrement=False),
    Column("at", UTC_MICROSECONDS, nullable=False),
    Column("label", JSON, nullable=False),
    Column("model", String(NAME), nullable=False),
    Column("version", String(NAME), nullable=False),
    Column("correct", Boolean, nullable=False),
    Index("feedback_at", "at"),
    **BINARY,
)


def make_engine(url: str) -> Engine:
    """The way to the database; it connects when it is first used."""
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url)
    return create_engine(
        url,
        connect_args=MYSQL,
        **COMMON,
        isolation_level="READ COMMITTED",  # a delete locks the rows it deletes, and no gaps beside them
        pool_size=2,
        pool_pre_ping=True,
        pool_timeout=ANSWER_SECONDS,
    )


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": ANSWER_SECONDS}, **COMMON)
    event.listen(engine, "connect", _prepare_sqlite)
    # Python's driver would begin with the first write, too late for a transaction that read before it.
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # One that only reads waits for no writer and stops none.
    reads = connection.get_execution_options().get(READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
