"""The thread that writes the queue into the database: the only one that waits for it."""

import threading
import time
import traceback
from dataclasses import dataclass, field

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from prediction_api import logs
from prediction_api.errors import LogAway
from prediction_api.metrics import Metrics
from prediction_api.prediction_log.entries import Entry, Queue
from prediction_api.prediction_log.rows import Row, Rows
from prediction_api.prediction_log.store import Store, brief

#: Seconds between two looks at the queue while little is asked.
PAUSE = 0.2
#: Rows of one transaction; a request with more is one transaction all the same.
BATCH_ROWS = 500
#: Seconds to the next try of a database that is away; it doubles up to the second.
AWAY_PAUSES = (0.5, 5.0)
#: So often the database may refuse a batch, in case it means the moment; then each request is tried alone.
TRIES = 3
#: Seconds that an error which passes by its kind (a lock, a full disk) is given to pass.
PATIENCE = 600.0
#: Seconds that what is queued has to be written when the worker ends; a last statement may take as long.
STOP_SECONDS = 3.0
#: Seconds between two looks for rows that are too old.
PRUNE_EVERY = 600.0


@dataclass
class Batch:
    """What is being written: entries with their rows, made once."""

    entries: list[Entry] = field(default_factory=list)
    rows: list[list[Row]] = field(default_factory=list)
    #: Tries that the database refused, and whether there was any that failed.
    refused: int = 0
    failed: bool = False
    #: Seconds of the monotonic clock.
    since: float = field(default_factory=time.monotonic)


class Writer:
    """Writes one worker's queue and deletes what is too old, until the worker ends."""

    def __init__(self, queue: Queue, rows: Rows, store: Store, metrics: Metrics, days: float) -> None:
        self._queue = queue
        self._rows = rows
        self._store = store
        self._metrics = metrics
        self._days = days
        self._batch = Batch()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log")
        self._next_prune = 0.0
        self._pause = PAUSE
        self._state = ""

    def start(self) -> None:
        """Write in the background. No daemon: Python waits for the thread when the worker ends."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, within STOP_SECONDS, and end."""
        self._stop.set()
        self._queue.wake.set()
        if self._thread.ident:
            self._thread.join()
        self._store.close()

    def turn(self) -> bool:
        """Write a batch if anything waits; whether there was one and it is settled."""
        self._metrics.log_queue_rows.set(self._queue.rows)
        if not self._batch.entries and not self._next_batch():
            return False
        try:
            if self._batch.refused < TRIES:
                self._write()
            else:
                self._write_one_by_one()
        except LogAway as error:
            return self._endure(f"The prediction log is away: {error}.")
        except SQLAlchemyError as error:
            if self._passes(error):
                return self._endure(f"The prediction log cannot take rows now: {brief(error)}.")
            self._batch.refused += 1
            return self._endure(f"The prediction log refuses rows: {brief(error)}.")
        self._batch = Batch()
        self._metrics.log_queue_rows.set(self._queue.rows)
        return True

    def prune(self) -> None:
        """Delete some of what is too old, if it is time to look for it."""
        if time.monotonic() < self._next_prune:
            return
        try:
            more = self._store.prune(self._days)
        except (LogAway, SQLAlchemyError) as error:
            reason = error if isinstance(error, LogAway) else brief(error)
            self._report("prune", "warning", f"Old rows of the prediction log cannot be deleted: {reason}.")
            more = False
        self._next_prune = time.monotonic() + (0 if more else PRUNE_EVERY)

    def _run(self) -> None:
        while not self._ending():
            try:
                while self.turn() and not self._ending():
                    self.prune()
                self.prune()
            except Exception as error:
                self._give_up(error)
            self._sleep()
        self._finish()

    def _ending(self) -> bool:
        """Whether the worker ends: Python marks its main thread as ended before it waits for the others."""
        return self._stop.is_set() or not threading.main_thread().is_alive()

    def _sleep(self) -> None:
        until = time.monotonic() + self._pause
        while (left := until - time.monotonic()) > 0 and not self._ending():
            if self._batch.entries:  # the database is away; a full queue is no reason to ask it sooner
                self._stop.wait(min(left, PAUSE))
            elif self._queue.wake.wait(min(left, PAUSE)):
                break
        self._queue.wake.clear()

    def _finish(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        while (self._batch.entries or self._queue.rows) and time.monotonic() < until:
            try:
                if not self.turn():
                    time.sleep(PAUSE)
            except Exception as error:
                self._give_up(error)
        lost = self._queue.rows
        if lost:
            self._metrics.log_rows.labels("lost").inc(lost)
            logs.write("error", "prediction-log", message=f"{lost} rows were not written before the end.")

    def _next_batch(self) -> bool:
        taken = self._queue.take(BATCH_ROWS)
        try:
            self._batch = Batch(taken, self._rows.of(taken))
        except Exception:  # of one of them; the others go on
            self._batch = Batch()
            for entry in taken:
                self._add(entry)
        return bool(self._batch.entries)

    def _add(self, entry: Entry) -> None:
        try:
            rows = self._rows.of([entry])
        except Exception as error:
            self._settle([entry], "lost")
            message = f"A request cannot be logged: {type(error).__name__}."
            logs.write("error", "prediction-log", message=message, request_id=entry.request_id)
            return
        self._batch.entries.append(entry)
        self._batch.rows += rows

    def _write(self) -> None:
        batch = self._batch
        self._store.write([row for rows in batch.rows for row in rows], again=batch.failed)
        self._settle(batch.entries, "written")
        self._pause = PAUSE
        self._report("writing", "info", "Predictions are logged.")

    def _write_one_by_one(self) -> None:
        """Find the requests that the database will not take, and lose no others with them."""
        batch = self._batch
        while batch.entries:
            entry, rows = batch.entries[0], batch.rows[0]
            try:
                self._store.write(rows, again=True)
                self._settle([entry], "written")
            except SQLAlchemyError as error:
                if self._passes(error):
                    raise
                self._settle([entry], "lost")
                message = f"The prediction log does not take {len(rows)} rows: {brief(error)}."
                logs.write("error", "prediction-log", message=message, request_id=entry.request_id)
            del batch.entries[0], batch.rows[0]

    def _passes(self, error: SQLAlchemyError) -> bool:
        """Whether it is of the kind that passes: a lock, a deadlock, a lost connection, a full disk."""
        kind = isinstance(error, OperationalError | InterfaceError)
        return kind and time.monotonic() - self._batch.since < PATIENCE

    def _give_up(self, error: Exception) -> None:
        """Go on without a batch that failed in a way nobody foresaw; its words may hold what is masked."""
        places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        message = f"The prediction log failed: {type(error).__name__}."
        logs.write("error", "unexpected", message=message, trace=" > ".join(places))
        self._settle(self._batch.entries, "lost")
        self._batch = Batch()

    def _settle(self, entries: list[Entry], result: str) -> None:
        self._metrics.log_rows.labels(result).inc(self._queue.settle(entries))

    def _endure(self, message: str) -> bool:
        self._batch.failed = True
        self._pause = min(max(self._pause * 2, AWAY_PAUSES[0]), AWAY_PAUSES[1])
        self._report("away", "warning", message)
        return False

    def _report(self, state: str, level: str, message: str) -> None:
        """Log a change of state once, not every try."""
        if state != self._state:
            self._state = state
            logs.write(level, "prediction-log", state=state, message=message)
