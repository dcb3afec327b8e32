"""Memory of a running sandbox: PSS, so that a page which ten processes share counts once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MIB = 1024 * 1024
EVERY = 0.5  # seconds between two samples


def memory_of(state: Path) -> float:
    """MiB of the supervisor in this state folder and of all its descendants; 0 where it does not run."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(int((state / "supervisord.pid").read_text()))
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / MIB


class Peak:
    """The largest memory seen while a block runs."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.mib = 0.0

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Sample until the block ends."""
        ended = threading.Event()
        thread = threading.Thread(target=self._sample, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _sample(self, ended: threading.Event) -> None:
        while not ended.wait(EVERY):
            self.mib = max(self.mib, memory_of(self.state))
