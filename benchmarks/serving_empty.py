"""Our server as the API sets it up, before a route that only answers: `serving_empty.py PORT`."""

import sys
from collections.abc import Callable
from typing import Any

from prediction_api.server import make_server


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The least that a WSGI application can do with a request."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]


if __name__ == "__main__":
    make_server("serving_empty:answer", host="127.0.0.1", port=int(sys.argv[1]), workers=1).serve()
