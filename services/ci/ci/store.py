"""What CI remembers, in SQLite: builds, their stages, pushes and deliveries."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci.repositories import HEADS, Commit

SCHEMA = """
CREATE TABLE IF NOT EXISTS builds (
    repository TEXT, number INTEGER, ref TEXT, sha TEXT, subject TEXT, author TEXT, state TEXT,
    queued_at REAL, started_at REAL, finished_at REAL, detail TEXT, PRIMARY KEY (repository, number));
CREATE TABLE IF NOT EXISTS stages (
    repository TEXT, number INTEGER, position INTEGER, name TEXT, state TEXT,
    started_at REAL, finished_at REAL, PRIMARY KEY (repository, number, position));
CREATE TABLE IF NOT EXISTS pushes (repository TEXT, ref TEXT, sha TEXT, number INTEGER,
    PRIMARY KEY (repository, ref, sha));
CREATE TABLE IF NOT EXISTS deliveries (id TEXT PRIMARY KEY, repository TEXT, number INTEGER);
CREATE TABLE IF NOT EXISTS statuses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repository TEXT, sha TEXT, context TEXT, state TEXT,
    description TEXT, target_url TEXT, creator TEXT, created_at REAL);
CREATE INDEX IF NOT EXISTS statuses_of_commit ON statuses (repository, sha, context);
CREATE TABLE IF NOT EXISTS processes (repository TEXT PRIMARY KEY, leader INTEGER, started TEXT);
CREATE TABLE IF NOT EXISTS health (id INTEGER PRIMARY KEY, checked_at REAL);
"""
LAST_PUSH = """
SELECT repository, number FROM pushes AS push WHERE repository = ? AND ref = ? AND sha = ?
    AND number = (SELECT max(number) FROM pushes WHERE repository = push.repository AND ref = push.ref)"""
RESULTS = {"success": "SUCCESS", "failure": "FAILURE", "aborted": "ABORTED"}


@dataclass(frozen=True)
class Build:
    """One build; state is queued, running, success, failure or aborted, times are Unix seconds."""

    repository: str
    number: int
    ref: str
    sha: str
    subject: str
    author: str
    state: str
    queued_at: float
    started_at: float | None
    finished_at: float | None
    detail: str

    @property
    def branch(self) -> str:
        return self.ref.removeprefix(HEADS)

    @property
    def result(self) -> str | None:
        """Jenkins' word for how it ended; None until then."""
        return RESULTS.get(self.state)

    @property
    def seconds(self) -> float:
        """How long it ran, or runs."""
        return (self.finished_at or time.time()) - self.started_at if self.started_at else 0.0


@dataclass(frozen=True)
class StageRecord:
    """One stage of a build; state is pending, running, passed, failed or skipped."""

    name: str
    state: str
    started_at: float | None
    finished_at: float | None

    @property
    def seconds(self) -> float:
        """How long it ran, or runs."""
        return (self.finished_at or time.time()) - self.started_at if self.started_at else 0.0


class Store:
    """The database; every method is one transaction and safe from every thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the file and the tables that are not there yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept where the block ends well."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a query."""
        with closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()

    def check(self) -> None:
        """Write once. Raises sqlite3.Error where the database cannot be written."""
        if not self.path.exists():
            raise sqlite3.OperationalError(f"{self.path} is gone")
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO health VALUES (1, ?)", (time.time(),))

    # -- builds

    def add_build(self, repository: str, ref: str, commit: Commit, delivery: str = "") -> tuple[Build, bool]:
        """The build of a push, and whether it is new: a delivery seen before, and what was pushed to the ref
        last, has its build. What was pushed there earlier is built again: the ref was set back to it.
        """
        with self.writing() as connection:
            known = connection.execute(
                f"SELECT repository, number FROM deliveries WHERE id = ? UNION {LAST_PUSH}",
                (delivery, repository, ref, commit.sha),
            ).fetchone()
            number = known["number"] if known else self._insert(connection, repository, ref, commit)
            if delivery:
                connection.execute(
                    "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?)", (delivery, repository, number)
                )
        found = self.build(known["repository"] if known else repository, number)
        return found or self._forgotten(repository, number, ref, commit), not known

    def _insert(self, connection: sqlite3.Connection, repository: str, ref: str, commit: Commit) -> int:
        number = connection.execute(
            "SELECT coalesce(max(number), 0) + 1 FROM pushes WHERE repository = ?", (repository,)
        ).fetchone()[0]
        connection.execute(
            "INSERT OR REPLACE INTO pushes VALUES (?, ?, ?, ?)", (repository, ref, commit.sha, number)
        )
        connection.execute(
            "INSERT INTO builds VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, NULL, NULL, '')",
            (repository, number, ref, commit.sha, commit.subject, commit.author, time.time()),
        )
        return number

    def _forgotten(self, repository: str, number: int, ref: str, commit: Commit) -> Build:
        """A build that was removed since, as far as it is known."""
        return Build(
            repository, number, ref, commit.sha, commit.subject, commit.author, "success", 0.0, None, None, ""
        )

    def build(self, repository: str, number: int) -> Build | None:
        """One build, None where there is none."""
        rows = self.rows("SELECT * FROM builds WHERE repository = ? AND number = ?", repository, number)
        return Build(**rows[0]) if rows else None

    def builds(self, repository: str, limit: int = 1000) -> list[Build]:
        """Builds of a repository, the newest first."""
        query = "SELECT * FROM builds WHERE repository = ? ORDER BY number DESC LIMIT ?"
        return [Build(**row) for row in self.rows(query, repository, limit)]

    def is_pushed(self, repository: str, ref: str, sha: str) -> bool:
        """Whether this is what was pushed to the ref last, and so has its build."""
        return bool(self.rows(LAST_PUSH, repository, ref, sha))

    def next_build(self, repository: str) -> Build | None:
        """The oldest build without an end; where its own thread asks, a running one was broken off."""
        query = "SELECT * FROM builds WHERE repository = ? AND finished_at IS NULL ORDER BY number LIMIT 1"
        rows = self.rows(query, repository)
        return Build(**rows[0]) if rows else None

    def requeue(self, repository: str, number: int) -> None:
        """Put a build that was broken off back to where it has not started."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE builds SET state = 'queued', started_at = NULL WHERE repository = ? AND number = ?",
                (repository, number),
            )
            connection.execute("DELETE FROM stages WHERE repository = ? AND number = ?", (repository, number))

    def unfinished(self) -> list[Build]:
        """Builds that are queued or running, in order."""
        rows = self.rows(
            "SELECT * FROM builds WHERE state IN ('queued', 'running') ORDER BY repository, number"
        )
        return [Build(**row) for row in rows]

    def start_build(self, build: Build) -> None:
        """Mark a build as running."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE builds SET state = 'running', started_at = ? WHERE repository = ? AND number = ?",
                (time.time(), build.repository, build.number),
            )

    def finish_build(self, build: Build, state: str, detail: str) -> None:
        """Write how a build ended."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE builds SET state = ?, detail = ?, finished_at = ?"
                " WHERE repository = ? AND number = ?",
                (state, detail, time.time(), build.repository, build.number),
            )
            connection.execute(
                "UPDATE stages SET state = 'skipped'"
                " WHERE state = 'pending' AND repository = ? AND number = ?",
                (build.repository, build.number),
            )

    def forget_builds(self, repository: str, keep: int, before: float = 0.0) -> list[int]:
        """Remove finished builds beyond the newest `keep`, a running one counted, and those before `before`.

        Their numbers. Of the statuses of their commits the first of CI and the newest of each context stay.
        """
        with self.writing() as connection:
            gone = connection.execute(
                "SELECT number, sha FROM builds WHERE repository = ? AND finished_at IS NOT NULL"
                " AND (finished_at < ? OR number NOT IN (SELECT number FROM builds"
                " WHERE repository = ? AND finished_at IS NOT NULL ORDER BY number DESC LIMIT ?))",
                (repository, before, repository, keep - 1),
            ).fetchall()
            numbers = [row["number"] for row in gone]
            connection.executemany(
                "DELETE FROM statuses WHERE repository = ? AND sha = ? AND id NOT IN ("
                "SELECT max(id) FROM statuses WHERE repository = ? AND sha = ? GROUP BY context"
                " UNION SELECT min(id) FROM statuses WHERE repository = ? AND sha = ? AND context = 'ci')",
                [(repository, row["sha"]) * 3 for row in gone],
            )
            for table in ("builds", "stages", "deliveries"):
                connection.executemany(
                    f"DELETE FROM {table} WHERE repository = ? AND number = ?",
                    [(repository, number) for number in numbers],
                )
        return numbers

    # -- stages

    def plan_stages(self, build: Build, names: list[str]) -> None:
        """Write the stages that a build will go through."""
        with self.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?, 'pending', NULL, NULL)",
                [(build.repository, build.number, position, name) for position, name in enumerate(names)],
            )

    def mark_stage(self, build: Build, position: int, state: str) -> None:
        """Write the state of a stage, with the time it started or ended."""
        column = {"running": "started_at", "skipped": "state"}.get(state, "finished_at")
        value = state if column == "state" else time.time()
        with self.writing() as connection:
            connection.execute(
                f"UPDATE stages SET state = ?, {column} = ?"
                " WHERE repository = ? AND number = ? AND position = ?",
                (state, value, build.repository, build.number, position),
            )

    def stages(self, repository: str, number: int) -> list[StageRecord]:
        """Stages of a build, in order."""
        query = (
            "SELECT name, state, started_at, finished_at FROM stages"
            " WHERE repository = ? AND number = ? ORDER BY position"
        )
        return [StageRecord(**row) for row in self.rows(query, repository, number)]

    # -- processes

    def note_process(self, repository: str, leader: int, started: str) -> None:
        """Remember the process group of a running step, so that a later start can end it."""
        with self.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO processes VALUES (?, ?, ?)", (repository, leader, started)
            )

    def forget_process(self, repository: str) -> None:
        """The step of a repository has ended."""
        with self.writing() as connection:
            connection.execute("DELETE FROM processes WHERE repository = ?", (repository,))

    def processes(self) -> list[tuple[str, int, str]]:
        """Steps that were running: repository, leader of the process group, its start as ps writes it."""
        return [tuple(row) for row in self.rows("SELECT repository, leader, started FROM processes")]
