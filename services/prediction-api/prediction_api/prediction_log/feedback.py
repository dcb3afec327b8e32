"""What turned out to be true: labels for the rows of a request that is in the log."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import IntegrityError, OperationalError

from prediction_api.metrics import Metrics
from prediction_api.prediction_log.rows import Row
from prediction_api.prediction_log.store import Store, answered
from prediction_api.problems import Problem
from prediction_api.values import json_name

KEYS = {"request_id", "labels"}


def take_feedback(body: Any, store: Store, metrics: Metrics) -> dict[str, Any]:
    """Keep and count the labels of `{"request_id": …, "labels": […]}`; says how many are correct.

    A label `null` says nothing of its row. Labels that are known already are not counted again.
    Problem 422 or 404 says what does not fit.
    """
    request_id, labels = _read(body)
    rows = answered(store.answers(request_id))
    if not rows:
        raise unknown(request_id)
    if len(labels) != len(rows):
        raise _invalid("labels", f"the request had {len(rows)} rows, and these are {len(labels)} labels")
    pairs = zip(rows, labels, strict=True)
    truths = [_truth(row, label) for row, label in pairs if label is not None]
    for truth in _kept(store, truths):
        result = "correct" if truth["correct"] else "wrong"
        metrics.feedback.labels(truth["model"], truth["version"], result).inc()
    return {
        "request_id": request_id,
        "model": rows[0]["model"],
        "version": rows[0]["version"],
        "rows": len(truths),
        "correct": sum(truth["correct"] for truth in truths),
    }


def unknown(request_id: str) -> Problem:
    """Problem 404 for an id that the log does not hold."""
    detail = f"No prediction with X-Request-Id {request_id[:128]} is logged; it may take a second."
    return Problem("unknown-request", detail, headers=(("Retry-After", "1"),))


def same(label: Any, prediction: Any) -> bool:
    """Whether two JSON values are the same: 1 is 1.0, and neither true nor "1"."""
    return isinstance(label, bool) == isinstance(prediction, bool) and label == prediction


def _read(body: Any) -> tuple[str, list[Any]]:
    if not isinstance(body, dict):
        raise _invalid("body", f"an object is asked for, not {json_name(body)}")
    if extra := sorted(body.keys() - KEYS):
        raise _invalid(extra[0][:100], "nothing is taken beside request_id and labels")
    request_id, labels = body.get("request_id"), body.get("labels")
    if not isinstance(request_id, str):
        raise _invalid("request_id", f"an answer's X-Request-Id is asked for, not {json_name(request_id)}")
    if not isinstance(labels, list):
        raise _invalid("labels", f"a list is asked for, not {json_name(labels)}")
    if not all(map(_could_be_predicted, labels)):
        raise _invalid("labels", "each is a string, number, boolean, or a list of those")
    return request_id, labels


def _could_be_predicted(label: Any) -> bool:
    """Whether a model may give such a label: one value, or one for each of several outputs."""
    values = label if isinstance(label, list) else [label]
    return not any(isinstance(value, dict | list) for value in values)


def _truth(row: Row, label: Any) -> Row:
    return {
        "request_id": row["request_id"],
        "row": row["row"],
        "at": datetime.now(UTC).replace(tzinfo=None),
        "label": label,
        "model": row["model"],
        "version": row["version"],
        "correct": same(label, row["prediction"]),
    }


def _kept(store: Store, truths: list[Row]) -> list[Row]:
    """Keep the truths; those that were new. Where somebody else kept some meanwhile, look again."""
    if not truths:
        return []
    try:
        return store.put_truths(truths)
    except (IntegrityError, OperationalError):  # the latter: a deadlock, of which MySQL ends one
        return store.put_truths(truths)


def _invalid(field: str, detail: str) -> Problem:
    error = {"field": field, "rule": "form", "row": None, "detail": detail}
    return Problem("invalid-feedback", f"{field}: {detail}.", {"errors": [error]})
