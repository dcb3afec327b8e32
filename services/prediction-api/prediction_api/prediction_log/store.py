"""The database of the prediction log: rows in, the rows of one request, and what is too old out."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Table, delete, func, insert, select, tuple_
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from prediction_api.challenger import SHADOW
from prediction_api.errors import LogAway
from prediction_api.prediction_log.listing import Wanted, fitting
from prediction_api.prediction_log.queries import newest_rows, told_label
from prediction_api.prediction_log.rows import Row
from prediction_api.prediction_log.tables import READS, feedback, make_engine, metadata, predictions
from prediction_api.record import SANE_ID
from prediction_api.storage import locked

#: So many rows one transaction deletes at most, so that nobody waits for a long one.
PRUNED_ROWS = 500
#: Threads of requests that may ask at once, and seconds that another one waits for its turn.
ASKING, ASKING_SECONDS = 2, 0.5
#: So long requests do not ask a database that did not let somebody in.
AWAY_SECONDS = 5.0
#: An id that a client uses again and again is shown with its newest answers only.
SHOWN_ANSWERS = 5


class Store:
    """One worker's way to the database, which several workers share. Its threads may use it at once."""

    def __init__(self, url: str, lock: Path) -> None:
        self._engine = make_engine(url)
        self._lock = lock
        self._has_tables = False
        self._asking = threading.BoundedSemaphore(ASKING)
        self._away_until = 0.0

    @contextmanager
    def asked(self, reads: bool = False) -> Iterator[Connection]:
        """A transaction for a request, which must not hold its thread: what would wait long is LogAway."""
        if time.monotonic() < self._away_until:
            raise LogAway("it did not answer a moment ago")
        if not self._asking.acquire(timeout=ASKING_SECONDS):
            raise LogAway("others are waiting for it already")
        try:
            with self.transaction(wait=False, reads=reads) as connection:
                yield connection
        finally:
            self._asking.release()

    @contextmanager
    def transaction(self, wait: bool = True, reads: bool = False) -> Iterator[Connection]:
        """A transaction, with the tables made where they are missing; `reads` takes no lock of writers.

        Raises LogAway where the database does not let us in, and what SQLAlchemy says of a statement.
        """
        with ExitStack() as stack:
            try:
                self._make_tables(wait)
                connection = stack.enter_context(self._engine.connect()).execution_options(**{READS: reads})
                stack.enter_context(connection.begin())
            except (SQLAlchemyError, OSError) as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                raise LogAway(brief(error)) from error
            self._away_until = 0.0
            try:
                yield connection
            except SQLAlchemyError:
                self._has_tables = False  # somebody may have removed them
                raise

    def write(self, rows: Sequence[Row], again: bool = False) -> None:
        """Write rows, all or none; `again` after a try that failed, but may have written them."""
        with self.transaction() as connection:
            if again:
                entries = {row["entry"] for row in rows}
                connection.execute(delete(predictions).where(predictions.c.entry.in_(entries)))
            connection.execute(insert(predictions), list(rows))

    def prune(self, days: float) -> bool:
        """Delete some of what is older than so many days; whether there may be more."""
        before = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
        with self.transaction() as connection:
            return any([_prune(connection, table, before) for table in (predictions, feedback)])

    def answers(self, request_id: str) -> list[list[Row]]:
        """The newest answers to requests of that id, each with its rows in order; oldest answer first."""
        if not SANE_ID.fullmatch(request_id):
            return []  # no request has such an id
        own = predictions.c.request_id == request_id
        newest = select(predictions.c.entry).where(own).distinct().order_by(predictions.c.entry.desc())
        with self.asked(reads=True) as connection:
            entries = connection.scalars(newest.limit(SHOWN_ANSWERS)).all()
            rows = connection.execute(
                select(predictions)
                .where(predictions.c.entry.in_(entries))
                .order_by(predictions.c.entry, predictions.c.row)
            ).mappings()
            found: dict[str, list[Row]] = {}
            for row in rows:
                found.setdefault(row["entry"], []).append(dict(row))
        return list(found.values())

    def newest(self, wanted: Wanted) -> tuple[list[Row], bool]:
        """The newest rows that are wanted, with the labels that were told; whether there are more."""
        with self.asked(reads=True) as connection:
            # Sizes first: what does not fit into an answer must not come into memory.
            sized = newest_rows(wanted, func.length(predictions.c.inputs)).limit(wanted.limit + 1)
            sizes = list(connection.scalars(sized))
            number = fitting(sizes[: wanted.limit])
            found = connection.execute(newest_rows(wanted, *predictions.c, told_label()).limit(number))
            return [dict(row) for row in found.mappings()], len(sizes) > number

    def truths(self, request_id: str) -> dict[int, Row]:
        """What is known to be true of the request's rows, by row."""
        with self.asked(reads=True) as connection:
            return _truths(connection, request_id)

    def put_truths(self, truths: Sequence[Row]) -> list[Row]:
        """Keep these rows of the table `feedback`, all of one request; those that tell something new."""
        request_id = truths[0]["request_id"]
        own = select(predictions.c.entry).where(predictions.c.request_id == request_id)
        with self.asked() as connection:
            # Two who tell the same at once come one after the other; SQLite has one writer anyway.
            connection.execute(own.with_for_update()).all()
            known = _truths(connection, request_id)
            new = [truth for truth in truths if _tells_more(truth, known.get(truth["row"]))]
            if new:
                keys = [(truth["request_id"], truth["row"]) for truth in new]
                key = tuple_(feedback.c.request_id, feedback.c.row)
                connection.execute(delete(feedback).where(key.in_(keys)))
                connection.execute(insert(feedback), new)
        return new

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _make_tables(self, wait: bool) -> None:
        if self._has_tables:
            return
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        # Workers start together, and one of two that make the same table would fail.
        with locked(self._lock, wait), self._engine.begin() as connection:
            metadata.create_all(connection)
        self._has_tables = True


def answered(answers: list[list[Row]]) -> list[Row]:
    """Of several answers the one that the client got last; empty where there is none."""
    return next((rows for rows in reversed(answers) if rows[0]["role"] != SHADOW), [])


def brief(error: Exception) -> str:
    """What the driver says, in one line: no statement, no values."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"


def _truths(connection: Connection, request_id: str) -> dict[int, Row]:
    known = connection.execute(select(feedback).where(feedback.c.request_id == request_id)).mappings()
    return {row["row"]: dict(row) for row in known}


def _tells_more(truth: Row, known: Row | None) -> bool:
    """Whether a truth is not the known one, of the same version."""
    names = ("label", "model", "version", "correct")
    return known is None or any(truth[name] != known[name] for name in names)


def _prune(connection: Connection, table: Table, before: datetime) -> bool:
    key = tuple_(*table.primary_key.columns)
    old = select(*table.primary_key.columns).where(table.c.at < before).order_by(table.c.at)
    keys = connection.execute(old.limit(PRUNED_ROWS)).all()
    if keys:
        connection.execute(delete(table).where(key.in_([tuple(found) for found in keys])))
    return len(keys) == PRUNED_ROWS
