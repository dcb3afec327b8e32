"""One JSON object per line on standard output: requests, swaps, refusals and what libraries say."""

import contextlib
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

_ENCODER = json.JSONEncoder(default=str)


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write(level: str, event: str, **fields: Any) -> None:
    """Write one line; a closed standard output never fails the caller."""
    line = _ENCODER.encode({"ts": now(), "level": level, "event": event, **fields}) + "\n"
    # One write of one line, so that the lines of several workers do not mix.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(line)
        sys.stdout.flush()


def trace(error: BaseException) -> str:
    """The traceback as text, for the line of an unexpected error."""
    return "".join(traceback.format_exception(error))


class JsonFormatter(logging.Formatter):
    """Gives the records of libraries the shape of our lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record of the standard logging module."""
        line = {"ts": now(), "level": record.levelname.lower(), "event": record.name.strip("_")}
        line["message"] = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            line["trace"] = trace(record.exc_info[1])
        return _ENCODER.encode(line)


def library_logging() -> dict[str, Any]:
    """The configuration that sends what libraries log and warn about through JsonFormatter."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "prediction_api.logs.JsonFormatter"}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
        },
        "root": {"handlers": ["stdout"], "level": "WARNING"},
        "loggers": {"_granian": {"handlers": ["stdout"], "level": "INFO", "propagate": False}},
    }
