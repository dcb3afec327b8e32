"""What the monitor saw, in one SQLite file: runs, counted figures, messages, and events on their way.

Figures are kept beside the rows and not made from them, so that a counter never falls when old rows go.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEEP_DAYS = 400
MOST_MESSAGES = 1000
SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    dag TEXT, run_id TEXT, ended TEXT, at REAL, outcome TEXT, reason TEXT, PRIMARY KEY (dag, run_id, ended)
);
CREATE TABLE IF NOT EXISTS figures (metric TEXT, labels TEXT, value REAL, PRIMARY KEY (metric, labels));
CREATE TABLE IF NOT EXISTS known (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS events (
    key TEXT PRIMARY KEY, at REAL, document TEXT, delivered INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, key TEXT UNIQUE, at TEXT, name TEXT, document TEXT, told REAL
);
"""

Document = dict[str, Any]
Labels = dict[str, str]


class Store:
    """One connection that all threads share; a block of `writing` is one transaction."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(home / "monitor.db", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All of a block's changes or none of them; a block inside another is part of that one."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def forget(self, now: float) -> None:
        """Remove runs and events that are older than KEEP_DAYS, and all but the newest messages."""
        before = now - KEEP_DAYS * 86_400
        with self.writing():
            self._do("DELETE FROM runs WHERE at < ?", before)
            self._do("DELETE FROM events WHERE at < ?", before)
            self.forget_messages()

    # -- runs

    def add_run(self, run: tuple[str, str, str], at: float, outcome: str, reason: str) -> None:
        """Keep the end of a run, named by DAG, run id and end. Raises IntegrityError where it is there."""
        self._do("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", *run, at, outcome, reason)

    def has_run(self, run: tuple[str, str, str]) -> bool:
        """Whether this end of this run is there."""
        return bool(self._rows("SELECT 1 FROM runs WHERE dag = ? AND run_id = ? AND ended = ?", *run))

    def has_ended_before(self, dag: str, run_id: str) -> bool:
        """Whether any end of this run is there: a run that is cleared in Airflow ends once more."""
        return bool(self._rows("SELECT 1 FROM runs WHERE dag = ? AND run_id = ?", dag, run_id))

    # -- figures

    def add(self, metric: str, value: float = 1.0, **labels: str) -> None:
        """Let a counter grow."""
        self._figure("value + excluded.value", metric, labels, value)

    def put(self, metric: str, value: float, **labels: str) -> None:
        """Keep the newest value."""
        self._figure("excluded.value", metric, labels, value)

    def figures(self, metric: str) -> list[tuple[Labels, float]]:
        """Every value of a metric with its labels."""
        rows = self._rows("SELECT labels, value FROM figures WHERE metric = ?", metric)
        return [(json.loads(labels), value) for labels, value in rows]

    def _figure(self, how: str, metric: str, labels: Labels, value: float) -> None:
        self._do(
            f"INSERT INTO figures VALUES (?, ?, ?) ON CONFLICT (metric, labels) DO UPDATE SET value = {how}",
            *(metric, json.dumps(labels, sort_keys=True), value),
        )

    # -- what is known as of now

    def know(self, key: str, value: Any) -> None:
        """Keep a JSON value under a key; the same again writes nothing."""
        if self.known(key) != value:
            self._do("INSERT OR REPLACE INTO known VALUES (?, ?)", key, json.dumps(value))

    def known(self, key: str, default: Any = None) -> Any:
        """What is kept under a key."""
        rows = self._rows("SELECT value FROM known WHERE key = ?", key)
        return json.loads(rows[0][0]) if rows else default

    # -- events

    def add_event(self, key: str, document: Document) -> None:
        """Let an event wait for its delivery; one of the same key is no second one."""
        self._do(
            "INSERT OR IGNORE INTO events (key, at, document) VALUES (?, ?, ?)",
            *(key, time.time(), json.dumps(document)),
        )

    def waiting_events(self) -> list[tuple[str, float, Document]]:
        """Key, seconds since 1970 and document of the events that were not delivered, the oldest first."""
        rows = self._rows("SELECT key, at, document FROM events WHERE NOT delivered ORDER BY at LIMIT 100")
        return [(key, at, json.loads(document)) for key, at, document in rows]

    def event_delivered(self, key: str) -> None:
        """It is where it belongs."""
        self._do("UPDATE events SET delivered = 1 WHERE key = ?", key)

    # -- messages

    def add_message(self, key: str, message: Document) -> None:
        """Put a message into the inbox; one of the same key is no second one."""
        self._do(
            "INSERT INTO messages (key, at, name, document, told) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET told = excluded.told",
            *(key, message["at"], message["name"], json.dumps(message), time.time()),
        )

    def forget_messages(self) -> None:
        """Remove all but the newest messages."""
        newest = "SELECT id FROM messages ORDER BY id DESC LIMIT ?"
        self._do(f"DELETE FROM messages WHERE id NOT IN ({newest})", MOST_MESSAGES)

    def messages(self, name: str = "", since: str = "", told_since: float = 0.0) -> list[Document]:
        """The messages, newest first; of one name, of `since` (ISO 8601, UTC) or later, and told, if only
        again, at `told_since` (seconds since 1970) or later.
        """
        wanted = "(? = '' OR name = ?) AND at >= ? AND told >= ? ORDER BY at DESC, id DESC"
        rows = self._rows(f"SELECT document FROM messages WHERE {wanted}", name, name, since, told_since)
        return [json.loads(document) for (document,) in rows]

    def _do(self, statement: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(statement, values)

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()
