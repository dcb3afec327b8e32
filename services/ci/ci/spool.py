"""Bodies as files, from senders that may be slow, go away or send too much."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

from flask import abort, request

CHUNK = 65_536


def spool(folder: Path, limit: int) -> IO[bytes]:
    """The body of this request: git may answer before it has read all, and both pipes would fill.

    413 beyond `limit` bytes, 400 where less came than Content-Length says. A sender that rests is waited for:
    granian's reads know no time limit, and it sends no answer while one is under way.
    """
    request.max_content_length = limit
    body = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    try:
        while chunk := request.stream.read(CHUNK):
            body.write(chunk)
        came, announced = body.tell(), request.content_length or 0
        if came < announced:
            abort(400, f"The body ended after {came} of {announced} bytes (Content-Length).")
        body.seek(0)
    except BaseException:
        body.close()
        raise
    return body


def empty() -> IO[bytes]:
    """The body of a request that has none."""
    return open(os.devnull, "rb")
