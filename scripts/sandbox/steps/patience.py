"""A service that is healthy may still be restarting when a step calls it."""

from collections.abc import Callable
from typing import TypeVar

from sandbox.errors import SandboxError
from sandbox.wait import Deadline, pause

PATIENCE = 60.0  # seconds
T = TypeVar("T")


def patiently(call: Callable[[], T], away: type[SandboxError], seconds: float) -> T:
    """Call again while it raises `away`, the kind that time mends; every other error is raised at once."""
    deadline = Deadline(seconds)
    while True:
        with deadline.tolerate(away):
            return call()
        pause(0.5)
