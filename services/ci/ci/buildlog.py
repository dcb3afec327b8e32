"""The log of a build: a file of bounded size, written line by line, without secrets."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

LIMIT = 2_000_000
LINE_LIMIT = 16_000
CUT = "[… {} bytes of the middle of this log were cut …]\n"
COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# what the shell and make say about themselves, not why something failed
NOISE = re.compile(r"\+ |make(\[\d+\])?: |[=\-_*#~. ]*$")


class BuildLog:
    """Writes a log; beyond `limit` bytes the middle goes and a note says how much."""

    def __init__(self, path: Path, secrets: Iterable[str] = (), limit: int = LIMIT) -> None:
        self.path = path
        self.limit = limit
        self.secrets = sorted((s.encode() for s in secrets if len(s) > 5), key=len, reverse=True)
        self.cut_bytes = 0
        self.rest = b""
        self.last_lines: deque[str] = deque(maxlen=50)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("wb")

    def __enter__(self) -> BuildLog:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end_line()
        self.file.close()

    def write(self, data: bytes) -> None:
        """Add output of a step; what has no end of line yet waits for it."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self._add(line)
        while len(self.rest) > LINE_LIMIT:
            self._add(self.rest[:LINE_LIMIT])
            self.rest = self.rest[LINE_LIMIT:]

    def say(self, text: str) -> None:
        """Add a line of our own."""
        self.end_line()
        self.write(text.encode(errors="replace") + b"\n")

    def end_line(self) -> None:
        """Write what waits for the end of its line."""
        if self.rest:
            self._add(self.rest)
            self.rest = b""

    def reason(self) -> str:
        """The last line that says something: no echo, no ruler and no complaint of make."""
        for line in reversed(self.last_lines):
            if line and not NOISE.match(line):
                return line.strip("=-_ ")[:150]
        return ""

    def masked(self, text: str) -> str:
        """The text without secrets, for a place that everybody may read."""
        return plain(self._mask(text.encode(errors="replace")))

    def _mask(self, data: bytes) -> bytes:
        for secret in self.secrets:
            data = data.replace(secret, b"****")
        return data

    def _add(self, line: bytes) -> None:
        line = self._mask(line)
        self.file.write(line + b"\n")
        self.file.flush()
        self.last_lines.append(plain(line).strip())
        if self.file.tell() > self.limit:
            self._cut()

    def _cut(self) -> None:
        content = self.path.read_bytes()
        head = content[: self.limit // 4].rpartition(b"\n")[0] + b"\n"
        tail = content[-(self.limit // 4) :].partition(b"\n")[2]
        self.cut_bytes += len(content) - len(head) - len(tail)
        shorter = self.path.with_suffix(".cut")
        shorter.write_bytes(head + CUT.format(self.cut_bytes).encode() + tail)
        os.replace(shorter, self.path)
        self.file.close()
        self.file = self.path.open("ab")


def plain(data: bytes) -> str:
    """Text without terminal colours; of a line that was drawn over, the last state."""
    text = COLOURS.sub("", data.decode(errors="replace"))
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def read_log(path: Path, tail: int | None = None) -> str:
    """The text of a log, or its last `tail` bytes; empty where there is none."""
    try:
        with path.open("rb") as file:
            if tail is not None:
                file.seek(max(0, path.stat().st_size - tail))
            return plain(file.read())
    except FileNotFoundError:
        return ""
