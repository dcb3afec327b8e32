"""A task's program as a process: its image, its log, its result and its certain end."""

import json
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from loop import leash
from loop.errors import Crashed, Failure
from loop.masking import masked, masked_values
from loop.run import Outcome

IMAGE = re.compile(r"env:sha256:([0-9a-f]{64})")
LAST_LINES = 5  # of the log, in the message of a crash


@dataclass(frozen=True)
class Ended:
    """How a program ended: exit status, last line of standard output, last lines of both.

    `result` is as the program wrote it: a mask in it could break the JSON. `read` masks what it holds.
    """

    status: int
    result: str = field(repr=False)
    tail: tuple[str, ...]


class Listener:
    """Hears a program's lines: says them and keeps the last, both without secrets, and the raw result."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.result = ""
        self.tail: deque[str] = deque(maxlen=LAST_LINES)

    def show(self, line: str) -> None:
        """A line of standard error."""
        shown = masked(line)
        self.tail.append(shown)
        self.say(shown)

    def keep(self, line: str) -> None:
        """A line of standard output, which may be the result."""
        self.result = line if line.strip() else self.result
        self.show(line)

    def ended(self, status: int) -> Ended:
        """How the program has ended."""
        return Ended(status, self.result, tuple(self.tail))


def launcher(image: str, store: str) -> str:
    """The executable of an image in the store; raises Failure when the image is not there."""
    parts, match = urlsplit(store), IMAGE.fullmatch(image)
    if not match:
        raise Failure(f"IMAGE is {image!r}: a process runs images of the form env:sha256:<64 hex digits>")
    if parts.scheme != "file":
        raise Failure(f"IMAGE_STORE is {store!r}: a process needs a file:// address")
    path = Path(unquote(parts.path)) / match[1] / "run"
    if not os.access(path, os.X_OK):
        gone = f"the image {image} is not in the store, where old ones are removed"
        raise Failure(f"{gone}: `sandbox run --code` has it built again, and so has a push to a new branch")
    return str(path)


def execute(argv: list[str], environment: dict[str, str], say: Callable[[str], None]) -> Ended:
    """Run a program to its end, saying each line of its output at once; it never outlives this process."""
    heard = Listener(say)
    with _leashed(argv, environment) as process:
        errors = threading.Thread(
            target=lambda: [heard.show(line) for line in _lines(process.stderr)], daemon=True
        )
        errors.start()
        for line in _lines(process.stdout):
            heard.keep(line)
        errors.join()
        return heard.ended(process.wait())


def read(ended: Ended) -> Outcome:
    """The result a program printed; raises Failure when it failed as expected, else Crashed."""
    found = _object(ended.result)
    state, detail = found.get("state"), masked(str(found.get("detail", "")))
    if ended.status == 0 and state == "passed":
        return Outcome("passed", detail, masked_values(found) | {"state": state})
    if ended.status == 1 and state == "failed":
        raise Failure(detail or "the task failed and gave no reason")
    last = detail or " | ".join(line for line in ended.tail if line.strip()) or "it printed nothing"
    raise Crashed(f"the task ended with exit status {ended.status}: {last}")


def is_result(ended: Ended) -> bool:
    """Whether a program has ended as planned, passed or failed; anything else is a crash."""
    try:
        read(ended)
    except Failure:
        return True
    except Crashed:
        return False
    return True


@contextmanager
def _leashed(argv: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-I", "-S", leash.__file__, *argv]
    pipe = subprocess.PIPE
    # A session of its own: signals to Airflow's task reach the program in order, through the leash.
    process = subprocess.Popen(  # noqa: S603 -- a list, no shell; running the image's program is the task
        command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace",
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        _close(process.stdin)
        process.wait()
        _close(process.stdout)
        _close(process.stderr)


def _close(stream: IO[str] | None) -> None:
    if stream:
        stream.close()


def _lines(stream: IO[str] | None) -> Iterator[str]:
    return (line.rstrip("\n") for line in stream or ())


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
