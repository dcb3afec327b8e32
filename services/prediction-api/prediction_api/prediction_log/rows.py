"""From a request that was answered to the rows of the table `predictions`."""

import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from weakref import WeakSet

from prediction_api import logs
from prediction_api.body import decode
from prediction_api.challenger import SHADOW
from prediction_api.metrics import Metrics
from prediction_api.model import Model
from prediction_api.prediction_log.entries import Entry
from prediction_api.validation import read_instances

MASK = "***"

Row = dict[str, Any]


class Rows:
    """Makes rows, with confidences worked out for many requests at once, and counts those."""

    def __init__(self, masked: frozenset[str], metrics: Metrics) -> None:
        self._masked = masked
        self._metrics = metrics
        #: Models of which a log line was written, by what it said.
        self._told: dict[str, WeakSet[Model]] = defaultdict(WeakSet)

    def of(self, entries: Iterable[Entry]) -> list[list[Row]]:
        """The rows of each entry."""
        asked_for = [(entry, _instances(entry)) for entry in entries]
        read = [(self._shadowed(entry, instances), instances) for entry, instances in asked_for]
        asked: dict[Model, list[Any]] = {}
        for entry, instances in read:
            asked.setdefault(entry.model, []).extend(instances)
        sure = {model: iter(self._confidences(model, instances)) for model, instances in asked.items()}
        return [
            self._rows(entry, instances, list(islice(sure[entry.model], len(instances))))
            for entry, instances in read
        ]

    def _rows(self, entry: Entry, instances: list[Any], confidences: list[float | None]) -> list[Row]:
        if unknown := sorted(self._masked - entry.model.signature.names.keys()):
            self._say_once(entry.model, f"has no column {', '.join(unknown)}, which MASKED_COLUMNS names")
        columns = [(name, name in self._masked) for name in entry.model.signature.names]
        common = _common(entry)
        return [
            {
                **common,
                "row": number,
                "inputs": _inputs(instance, columns),
                "prediction": entry.predictions[number],
                "confidence": confidences[number],
            }
            for number, instance in enumerate(instances)
        ]

    def _shadowed(self, entry: Entry, instances: list[Any]) -> Entry:
        """An entry of a shadow with its own predictions, counted by whether it agrees."""
        if entry.role != SHADOW:
            return entry
        try:
            predictions = entry.model.predict(instances)
            if len(predictions) != len(instances):
                raise ValueError("not one label for each row")
        except Exception as error:  # it may fail in any way: nobody is waiting for it
            self._say_once(entry.model, f"cannot predict in the shadow: {type(error).__name__}")
            predictions = [None] * len(instances)
        for said, answered in zip(predictions, entry.predictions, strict=True):
            result = "failed" if said is None else "agree" if said == answered else "differ"
            self._metrics.shadow_rows.labels(*entry.model.labels[:2], result).inc()
        return entry._replace(predictions=predictions)

    def _confidences(self, model: Model, instances: list[Any]) -> list[float | None]:
        try:
            confidences = model.confidences(instances)
        except Exception as error:  # a model may fail in any way; its predictions are logged all the same
            self._say_once(model, f"has no confidence: {type(error).__name__}")
            return [None] * len(instances)
        observe = self._metrics.confidence.labels(*model.labels[:2]).observe
        for confidence in confidences:
            if confidence is not None:
                observe(confidence)
        return confidences

    def _say_once(self, model: Model, text: str) -> None:
        """A log line; no error's own words, which may hold what is masked."""
        if model not in self._told[text]:
            self._told[text].add(model)
            logs.write("warning", "prediction-log", message=f"{model.identity} {text}.")


def _common(entry: Entry) -> Row:
    """What all rows of a request share."""
    model, version, git_sha, data_version = entry.model.labels
    return {
        "entry": _in_order_of_time(entry.at),
        "at": datetime.fromtimestamp(entry.at, UTC).replace(tzinfo=None),
        "request_id": entry.request_id,
        "model": model,
        "version": version,
        "git_sha": git_sha,
        "data_version": data_version,
        "role": entry.role,
        "ms": round(entry.ms, 3),
    }


def _instances(entry: Entry) -> list[Any]:
    """The rows of the body; it was taken once, so every rule is kept."""
    return read_instances(decode(entry.body), entry.model.signature, len(entry.predictions))


def _inputs(instance: Any, columns: list[tuple[str, bool]]) -> dict[str, Any]:
    """The row by column names; a column that was left out stays out."""
    if type(instance) is list:
        return {
            name: MASK if masked else cell for (name, masked), cell in zip(columns, instance, strict=True)
        }
    return {name: MASK if masked else instance[name] for name, masked in columns if name in instance}


def _in_order_of_time(at: float) -> str:
    """An id of 32 hex digits: microseconds, then chance."""
    return f"{first_entry(at)}{os.urandom(8).hex()}"


def first_entry(at: float) -> str:
    """What no entry of that time (seconds since 1970) or later sorts before; negative times are 1970."""
    return f"{max(int(at * 1e6), 0):016x}"
