"""What a container says: its two streams as lines, from their beginning to its end."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from loop.masking import masked
from loop.process import LAST_LINES, Ended

if TYPE_CHECKING:
    from docker.models.containers import Container

Say = Callable[[str], None]

LOOK = 5.0  # seconds between two looks whether the engine is still there
ENDING = 10  # seconds from the end of a container's output to its own


def follow(container: "Container", say: Say) -> Ended:
    """Say a container's output from its beginning, line by line, until it ends."""
    tail: deque[str] = deque(maxlen=LAST_LINES)
    result = ""

    def show(line: str) -> None:
        tail.append(line)
        say(line)

    def _keep(line: str) -> None:
        nonlocal result
        result = line if line.strip() else result
        show(line)

    followers = [Follower(container, "stdout", _keep), Follower(container, "stderr", show)]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.finish()
    return Ended(container.wait(timeout=ENDING)["StatusCode"], result, tuple(tail))


class Follower(threading.Thread):
    """Takes the lines of one of a container's two streams; its own thread, for the other never waits."""

    def __init__(self, container: "Container", stream: str, take: Say) -> None:
        super().__init__(daemon=True)
        self.container = container
        self.streams = {"stdout": stream == "stdout", "stderr": stream == "stderr"}
        self.take = take
        self.error: BaseException | None = None

    def run(self) -> None:
        """Take line by line; what goes wrong is kept for `finish`."""
        try:
            for line in lines(self.container.logs(stream=True, follow=True, **self.streams)):
                self.take(masked(line))
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        """Wait for the end of the stream; raises what went wrong with it, or that the engine has gone."""
        while self.is_alive():
            self.join(LOOK)
            self.container.reload()
        if self.error:
            raise self.error


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines in a stream of bytes, which may be cut anywhere."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
