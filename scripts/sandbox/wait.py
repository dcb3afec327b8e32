"""The only place that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

from sandbox.errors import SandboxError, ServiceError

T = TypeVar("T")


def pause(seconds: float) -> None:
    """Sleep between two looks of a loop that a person ends."""
    time.sleep(seconds)


def wait_until(
    look: Callable[[], T | None], *, what: str, seconds: float, hint: str = "", interval: float = 0.3
) -> T:
    """Call `look` until it returns something true. Raises ServiceError with the last failure seen."""
    deadline = time.monotonic() + seconds
    seen = "nothing yet"
    while True:
        try:
            if answer := look():
                return answer
        except SandboxError as error:
            seen = str(error)
        if time.monotonic() > deadline:
            raise ServiceError(f"Waited {seconds:.0f} s for {what}. Last seen: {seen}", hint)
        time.sleep(interval)
