"""Log files of supervised services: the newest lines, and lines as they come."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from sandbox.errors import ServiceError
from sandbox.wait import pause


def read_logs(folder: Path, service: str, lines: int, follow: bool) -> Iterator[str]:
    """Lines of one service, or of all with their names in front. Raises ServiceError."""
    known = sorted(path.stem for path in folder.glob("*.log"))
    if service and service not in known:
        raise ServiceError(
            f"There is no log of {service!r}.", f"Known: {', '.join(known) or 'none yet; run make up'}"
        )
    chosen = [folder / f"{name}.log" for name in ([service] if service else known)]
    for path in chosen:
        yield from (_label(path, service, line) for line in _tail(path, lines))
    if follow:
        yield from _follow(chosen, service)


def _label(path: Path, service: str, line: str) -> str:
    return line if service else f"{path.stem} | {line}"


def _tail(path: Path, lines: int) -> deque[str]:
    with path.open(errors="replace") as file:
        return deque((line.rstrip("\n") for line in file), maxlen=lines)


def _follow(paths: list[Path], service: str) -> Iterator[str]:
    positions = {path: path.stat().st_size for path in paths}
    while True:
        for path, position in positions.items():
            size = path.stat().st_size
            with path.open(errors="replace") as file:
                file.seek(position if size >= position else 0)  # smaller than before: the file was rotated
                yield from (_label(path, service, line.rstrip("\n")) for line in file)
                positions[path] = file.tell()
        pause(0.5)
