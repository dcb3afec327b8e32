"""Trying again until a server takes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ci.errors import DeliverError
from ci.sessions import NotYet

FIRST_PAUSE, LONGEST_PAUSE, PROGRESS = 0.5, 5.0, 15.0

Say = Callable[[str], None]
T = TypeVar("T")


def insist(attempt: Callable[[], T], timeout: float, say: Say) -> T:
    """Try until it works, with growing pauses. Raises DeliverError after `timeout` seconds."""
    started = told = time.monotonic()
    pause = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except NotYet as error:
            now = time.monotonic()
            if now - started + pause > timeout:
                raise DeliverError(
                    f"Waited {now - started:.0f} s (CI_DELIVER_TIMEOUT is {timeout} s). Last seen: {error}."
                ) from error
            if told == started or now - told > PROGRESS:
                say(f"Waiting: {error}")
                told = now
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
