"""The one place that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

from loop.errors import Unreachable

Seen = TypeVar("Seen")


def until(look: Callable[[], Seen | None], seconds: float, every: float) -> Seen | None:
    """Call `look` every `every` seconds and give its first answer that is true, or None after `seconds`.

    It looks once more when the time is over, so that a limit of zero is one look.
    """
    end = time.monotonic() + seconds
    while not (seen := look()):
        left = end - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(every, left))
    return seen


def patiently(call: Callable[[], Seen], seconds: float, every: float) -> Seen:
    """Call again while it raises Unreachable, for `seconds`: a server that was killed comes back."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Unreachable:
            if time.monotonic() >= end:
                raise
        time.sleep(every)
