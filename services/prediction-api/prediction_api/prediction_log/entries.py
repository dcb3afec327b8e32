"""Requests that wait to be written: a queue with two bounds, which nobody waits for."""

import threading
from collections import deque
from typing import Any, NamedTuple

from prediction_api.model import Model


class Entry(NamedTuple):
    """One answered request by references alone: whatever costs time is left to the writer."""

    #: Seconds since 1970.
    at: float
    request_id: str
    model: Model
    #: The request's body as it came, a tenth of the memory of what is in it.
    body: bytes
    #: Of a shadow those of the champion; the writer has the shadow's own worked out.
    predictions: list[Any]
    ms: float
    role: str


class Queue:
    """Entries in order of arrival. They count until they are settled, also while they are being written."""

    def __init__(self, max_rows: int, max_bytes: int, wake_rows: int) -> None:
        self.rows = 0
        #: Set once so many rows wait that the writer should not sleep on.
        self.wake = threading.Event()
        self._bytes = 0
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._wake_rows = wake_rows
        self._entries: deque[Entry] = deque()
        self._lock = threading.Lock()

    def put(self, entry: Entry) -> bool:
        """Take the entry; False, and nothing is kept, where it would break a bound."""
        rows, size = len(entry.predictions), len(entry.body)
        with self._lock:
            if self.rows + rows > self._max_rows or self._bytes + size > self._max_bytes:
                return False
            self.rows += rows
            self._bytes += size
        self._entries.append(entry)
        if self.rows >= self._wake_rows and not self.wake.is_set():
            self.wake.set()
        return True

    @property
    def half_full(self) -> bool:
        """Whether either bound is half used."""
        return self.rows * 2 >= self._max_rows or self._bytes * 2 >= self._max_bytes

    def take(self, rows: int) -> list[Entry]:
        """The oldest entries, until they have so many rows; none where none waits."""
        taken: list[Entry] = []
        while self._entries and rows > 0:
            taken.append(self._entries.popleft())
            rows -= len(taken[-1].predictions)
        return taken

    def settle(self, entries: list[Entry]) -> int:
        """Count entries no more: they are written, or given up. Returns how many rows that are."""
        rows = sum(len(entry.predictions) for entry in entries)
        size = sum(len(entry.body) for entry in entries)
        with self._lock:
            self.rows -= rows
            self._bytes -= size
        return rows
