"""Whether the disk has room: where tasks are processes of one machine, every server writes to the same disk.

What is left below LEAST_FREE is for the servers' databases and logs, so that they outlive a full disk.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from loop.errors import Failure, LoopError

MIB = 1024**2
LEAST_FREE = 256  # MiB; a training writes far less


def shortage(store: str) -> str:
    """What to do about the disk of a file:// store; an empty string where it has room or is elsewhere."""
    parts = urlsplit(store)
    folder = Path(unquote(parts.path)).parent  # where all that the servers write is, beside the images
    if parts.scheme != "file" or not folder.is_dir():
        return ""
    free = shutil.disk_usage(folder).free // MIB
    if free >= LEAST_FREE:
        return ""
    found = f"the disk of {folder} is full: {free} MiB are free, {LEAST_FREE} are needed"
    return f"{found}; make room there, then start the loop again"


def check_room(store: str) -> None:
    """Raises Failure where the disk of the image store is full: trying again makes no room."""
    if short := shortage(store):
        raise Failure(short)


@contextmanager
def shortage_named(store: str) -> Iterator[None]:
    """Names the full disk where the block fails: it has many faces, a server's 500 above all.

    Raises Failure in place of any LoopError then.
    """
    try:
        yield
    except LoopError as error:
        if (short := shortage(store)) and short not in str(error):
            raise Failure(f"{error}; {short}") from error
        raise
