"""One `up`, `down` or `destroy` at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.errors import MachineError
from sandbox.settings import ROOT


@contextmanager
def only_one(command: str) -> Iterator[None]:
    """Hold the clone's lock for a command; the kernel frees it however that ends. Raises MachineError."""
    with (ROOT / ".sandbox.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "another command"
            raise MachineError(f"At work here already: {holder}.", "Wait for its end") from error
        file.truncate(0)
        file.write(f"{command} (process {os.getpid()})")
        file.flush()
        yield
