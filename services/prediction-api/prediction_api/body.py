"""From the bytes of a request to decoded JSON."""

import contextlib
import json
import time
from typing import Any

import orjson

from prediction_api.problems import Problem

#: How much of a body beyond the limit is read and thrown away, so that the client gets to read the answer.
DRAIN_BYTES = 64 * 1_048_576
CHUNK_BYTES = 65_536
CLOSE = (("Connection", "close"),)
#: Codings of a body that change nothing.
PLAIN = frozenset({"", "identity"})


def read_body(environ: dict[str, Any], limit: int, seconds: float) -> bytes:
    """The body of a WSGI request; Problem 413 beyond `limit` bytes, 400 where it breaks off, 408 where it was
    ended after `seconds`.
    """
    started = time.perf_counter()
    length = environ.get("CONTENT_LENGTH") or ""
    announced = int(length) if length.isascii() and length.isdigit() else 0
    if not announced and environ["REQUEST_METHOD"] not in {"POST", "PUT", "PATCH"}:
        return b""
    stream = environ["wsgi.input"]
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() not in PLAIN:
        drain(stream)
        detail = "Send the body as it is, without Content-Encoding."
        raise Problem("media-type", detail, headers=(*CLOSE, ("Accept-Encoding", "identity")))
    try:
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            drain(stream)
            raise Problem(
                "too-large", f"The body has more than {limit} bytes; send fewer rows at once.", headers=CLOSE
            )
    except OSError:
        raise _broken_off(started, seconds) from None
    if len(raw) < announced:
        raise _broken_off(started, seconds)
    return raw


def _broken_off(started: float, seconds: float) -> Problem:
    """The client ended the body too early, or `slow_clients` did, as it did not come in time."""
    if time.perf_counter() - started < seconds:
        return Problem("malformed-body", "The body broke off before its end.", headers=CLOSE)
    return Problem("too-slow", f"The body did not come within {seconds:g} s.", headers=CLOSE)


def drain(stream: Any) -> None:
    """Read what a client still sends, so that it reads the answer then; at most DRAIN_BYTES."""
    with contextlib.suppress(OSError):  # it broke off, which changes nothing now
        for _ in range(DRAIN_BYTES // CHUNK_BYTES):
            if not stream.read(CHUNK_BYTES):
                return


def check_media_type(content_type: str) -> None:
    """Accept application/json and its +json family; Problem 415 otherwise."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        return
    raise Problem("media-type", "Send the body with the header Content-Type: application/json.")


def decode(raw: bytes) -> Any:
    """The JSON value in `raw`; Problem 400 says what is wrong with it and where."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        # It is stricter about numbers and surrogates, which have answers of their own, and says less.
        return _decode_slowly(raw)


def _decode_slowly(raw: bytes) -> Any:
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Problem("malformed-body", f"The body is not UTF-8 at byte {error.start}.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Problem("malformed-body", f"The body is not JSON: {error.msg} at {place}.") from None
    except RecursionError:
        raise Problem("malformed-body", "The body is nested too deeply.") from None
    except ValueError as error:
        raise Problem("malformed-body", f"The body is not JSON: {_first_line(error)}.") from None


def _refuse_constant(name: str) -> None:
    # Python reads these three words, JSON has no such numbers.
    raise ValueError(f"{name} is not a JSON number")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(";")[0][:200]


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
