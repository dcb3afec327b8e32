"""What a container says: its two streams as lines, from their beginning to its end."""

import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from loop.errors import Unreachable
from loop.process import Ended, Listener

if TYPE_CHECKING:
    from docker.models.containers import Container

Say = Callable[[str], None]

LOOK = 5.0  # seconds between two looks whether the engine is still there
ENDING = 10  # seconds from the end of a container's output to its own


def follow(container: "Container", say: Say) -> Ended:
    """Say a container's output from its beginning, line by line, until it ends."""
    heard = Listener(say)
    followers = [Follower(container, "stdout", heard.keep), Follower(container, "stderr", heard.show)]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.finish()
    return heard.ended(container.wait(timeout=ENDING)["StatusCode"])


def left_by(container: "Container") -> Ended:
    """How a container that is no longer running has ended, without a word to anybody."""
    result = ""
    # All of standard output: the engine counts the lines of a tail before it leaves out standard error's.
    for line in logged(container, stdout=True, stderr=False, follow=False):
        result = line if line.strip() else result
    return Ended(container.attrs["State"]["ExitCode"], result, ())


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
            for line in logged(self.container, follow=True, **self.streams):
                self.take(line)
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        """Wait for the end of the stream; raises what went wrong with it, or that the engine has gone."""
        while self.is_alive():
            self.join(LOOK)
            self.container.reload()
        if self.error:
            raise self.error


def logged(container: "Container", **options: bool) -> Iterator[str]:
    """The lines of a container's log; raises Unreachable when the engine dies inside a frame's header."""
    try:
        yield from lines(container.logs(stream=True, **options))
    except struct.error as error:
        raise Unreachable("the Docker engine broke off in the middle of a container's log") from error


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines in a stream of bytes, which may be cut anywhere."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
