"""The prediction log of one worker: what a request needs of it is `put`."""

import time

from prediction_api.challenger import SHADOW
from prediction_api.metrics import Metrics
from prediction_api.model import Model
from prediction_api.prediction_log.entries import Entry, Queue
from prediction_api.prediction_log.rows import Rows
from prediction_api.prediction_log.store import Store
from prediction_api.prediction_log.writer import BATCH_ROWS, Writer
from prediction_api.record import Record
from prediction_api.settings import Settings

#: What may wait in the queue of one worker; but one request always may.
QUEUE_ROWS = 10_000
QUEUE_BYTES = 16 * 1_048_576


class PredictionLog:
    """The queue, the thread that empties it, and the database."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        url = settings.prediction_log_url or f"sqlite:///{settings.home / 'predictions.db'}"
        rows, size = max(QUEUE_ROWS, settings.max_rows), max(QUEUE_BYTES, settings.max_bytes)
        self.queue = Queue(rows, size, wake_rows=BATCH_ROWS)
        self.store = Store(url, settings.home / ".predictions.lock")
        made = Rows(settings.masked_columns, metrics)
        self.writer = Writer(self.queue, made, self.store, metrics, settings.prediction_log_days)
        self._shadow_rows = metrics.shadow_rows
        # Both from the start: what begins with its first value does not rise, and alerts look at what rises.
        self._dropped, _ = metrics.log_rows.labels("dropped"), metrics.log_rows.labels("lost")

    def put(self, record: Record, model: Model, predictions: list) -> bool:
        """Have an answered request logged; one that finds the queue full is counted and forgotten."""
        return self._put(record, model, predictions, record.role)

    def put_shadow(self, record: Record, shadow: Model, answered: list) -> None:
        """Have a shadow predict the same rows, compared with what was answered, and logged.

        It gets the room that others leave: half of the queue.
        """
        fits = record.model and list(shadow.signature.names) == list(record.model.signature.names)
        if not fits:
            self._shadow_rows.labels(*shadow.labels[:2], "failed").inc(len(answered))
        elif self.queue.half_full:
            self._dropped.inc(len(answered))
        else:
            self._put(record, shadow, answered, SHADOW)

    def _put(self, record: Record, model: Model, predictions: list, role: str) -> bool:
        ms = (time.perf_counter() - record.started) * 1000
        entry = Entry(time.time(), record.request_id, model, record.body, predictions, ms, role)
        taken = self.queue.put(entry)
        if not taken:
            self._dropped.inc(len(predictions))
        return taken
