"""How a task ends: one JSON object as the last line of standard output, and an exit code."""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from model_training.errors import TrainingError, UnavailableError

PASSED, FAILED = 0, 1
# Neither 1 (an expected failure) nor 2 (wrong usage); the names are those of sysexits.h.
CRASHED, UNAVAILABLE = 70, 75


def run_task(work: Callable[[], dict[str, Any]]) -> int:
    """Run `work`, print its result or its reason as the last line, return the exit code."""
    logging.setLogRecordFactory(_redacted_record)
    with _stdout_kept_clean() as stdout:
        code, result = _attempt(work)
        print(json.dumps(result, allow_nan=False), file=stdout, flush=True)
    return code


def _attempt(work: Callable[[], dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    try:
        return PASSED, work()
    except TrainingError as error:
        return FAILED, failure(str(error))
    except UnavailableError as error:
        return UNAVAILABLE, failure(str(error))
    except Exception as error:
        logging.getLogger(__name__).exception("Unexpected error")
        return CRASHED, failure(f"Unexpected {type(error).__name__}: {first_line(error)}")


def failure(detail: str) -> dict[str, Any]:
    """The result of a task that did not pass."""
    return {"state": "failed", "detail": redact(detail)}


def first_line(error: BaseException) -> str:
    """The first line of an error's message, for a one-sentence report."""
    return redact(next(iter(str(error).splitlines()), type(error).__name__))


def redact(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return re.sub(r"(?<=://)[^/\s]+@", "", text)


def _redacted_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """A log record that is redacted already, whoever's handler writes it."""
    record = logging.LogRecord(*args, **kwargs)
    with suppress(TypeError, ValueError):  # wrong arguments are reported by the handler
        record.msg, record.args = redact(record.getMessage()), None
    if record.exc_info:
        record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
    return record


@contextmanager
def _stdout_kept_clean() -> Iterator[TextIO]:
    """Yield the real standard output; whatever else is written there, now or at exit, goes to stderr."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stdout:
        os.dup2(2, 1)
        yield stdout
