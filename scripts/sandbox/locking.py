"""One `up`, `down` or `destroy` at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.errors import MachineError
from sandbox.settings import ROOT


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the clone's lock; the kernel frees it however the command ends. Raises MachineError."""
    with (ROOT / ".sandbox.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MachineError("Another up, down or destroy is at work here.", "Wait for its end") from error
        yield
