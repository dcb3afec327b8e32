"""The only place that sleeps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sandbox.errors import SandboxError, ServiceError

T = TypeVar("T")


def pause(seconds: float) -> None:
    """Sleep between two looks of a loop that a person ends."""
    time.sleep(seconds)


def stopwatch() -> Callable[[], float]:
    """A function that tells the seconds since now."""
    started = time.monotonic()
    return lambda: time.monotonic() - started


class Deadline:
    """A point in time `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def passed(self) -> bool:
        """Whether it lies behind."""
        return time.monotonic() > self._end

    @contextmanager
    def tolerate(self, kind: type[SandboxError]) -> Iterator[None]:
        """Let errors of this kind go by until then: a service may be starting again."""
        try:
            yield
        except kind:
            if self.passed():
                raise


def wait_until(
    look: Callable[[], T | None], *, what: str, seconds: float, hint: str = "", interval: float = 0.3
) -> T:
    """Call `look` until it returns something true. Raises ServiceError with the last failure seen."""
    deadline = Deadline(seconds)
    seen = "nothing yet"
    while True:
        try:
            if answer := look():
                return answer
        except SandboxError as error:
            seen = str(error)
        if deadline.passed():
            raise ServiceError(f"Waited {seconds:.0f} s for {what}. Last seen: {seen}", hint)
        time.sleep(interval)


PATIENCE = 60.0  # seconds that a service may need to start again


def patiently(call: Callable[[], T], away: type[SandboxError], seconds: float = PATIENCE) -> T:
    """Call again while it raises `away`, the kind that time mends; every other error is raised at once."""
    deadline = Deadline(seconds)
    while True:
        with deadline.tolerate(away):
            return call()
        pause(0.5)
