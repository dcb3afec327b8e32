"""The newest rows of the prediction log, whoever asked for them: `GET /predictions`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prediction_api.prediction_log.rows import Row
from prediction_api.problems import Problem

#: Rows of an answer, and where nobody says how many.
MOST_ROWS, ROWS = 5000, 100
#: What the inputs of an answer may have of JSON together; one row is always shown.
MOST_BYTES = 8 * 1_048_576
#: Of the names that a model and its version can have.
NAME_LENGTH = 200
PARAMETERS = ("model", "version", "since", "limit")
#: RFC 3339: a time without a zone would be another one for each reader.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
SHOWN = ("model", "version", "role", "inputs", "prediction", "confidence")


@dataclass(frozen=True)
class Wanted:
    """Which rows: of a model, of a version, not older than `since` (UTC), at most `limit`."""

    model: str | None = None
    version: str | None = None
    since: datetime | None = None
    limit: int = ROWS


def read_wanted(query: Mapping[str, Sequence[str]]) -> Wanted:
    """From the values of each parameter; Problem 422 names each parameter that does not fit, and its rule."""
    errors: list[dict[str, Any]] = []
    for name in sorted(query.keys() - set(PARAMETERS)):
        errors.append(_error(name[:100], "unknown", f"only {', '.join(PARAMETERS)} are taken"))
    for name in PARAMETERS:
        if len(query.get(name, ())) > 1:
            errors.append(_error(name, "form", "it is taken once"))
    given = {name: query[name][0] for name in PARAMETERS if query.get(name)}
    wanted = Wanted(
        model=_name("model", given, errors),
        version=_name("version", given, errors),
        since=_time(given, errors),
        limit=_limit(given, errors),
    )
    if errors:
        first = errors[0]
        shown = {"errors": errors[:20]}
        raise Problem("invalid-query", f"{first['field']}: {first['detail']}.", shown)
    return wanted


def fitting(sizes: Sequence[int], most: int = MOST_BYTES) -> int:
    """How many of the first rows fit into the answer by the sizes of their inputs; at least one."""
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if total > most:
            return max(number, 1)
    return len(sizes)


def shown(row: Row) -> Row:
    """A row as it is answered; `label` only where it was told."""
    at = row["at"].replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    label = {} if row["label"] is None else {"label": row["label"]}
    return {"at": at, **{name: row[name] for name in SHOWN}, **label}


def _name(parameter: str, given: Mapping[str, str], errors: list[dict[str, Any]]) -> str | None:
    name = given.get(parameter)
    if name is not None and not 0 < len(name) <= NAME_LENGTH:
        errors.append(_error(parameter, "length", f"1 to {NAME_LENGTH} characters are asked for"))
    return name


def _time(given: Mapping[str, str], errors: list[dict[str, Any]]) -> datetime | None:
    text = given.get("since")
    if text is None:
        return None
    try:
        if not TIME.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text.upper()).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        form = "a time with its zone is asked for, such as 2026-01-31T12:00:00Z"
        errors.append(_error("since", "time", f"{form} (a + of a zone is written %2B)"))
        return None


def _limit(given: Mapping[str, str], errors: list[dict[str, Any]]) -> int:
    text = given.get("limit", str(ROWS))
    if not re.fullmatch(r"-?\d{1,19}", text, re.ASCII):
        errors.append(_error("limit", "integer", "a whole number is asked for"))
    elif not 1 <= int(text) <= MOST_ROWS:
        errors.append(_error("limit", "range", f"1 to {MOST_ROWS} rows are shown"))
    else:
        return int(text)
    return ROWS


def _error(parameter: str, rule: str, detail: str) -> dict[str, Any]:
    return {"field": parameter, "rule": rule, "row": None, "detail": detail}
