"""Whether a model has a shortcut that gives the labels of the model itself, tried on made-up rows."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np

from prediction_api import logs
from prediction_api.model import Model
from prediction_api.problems import Problem
from prediction_api.quick_reading import QuickReading
from prediction_api.shortcut import NoShortcut, Shortcut
from prediction_api.validation import validate

#: The shortcut gets the probes one by one, then those it answered in requests of these sizes in turn.
SIZES = (2, 3, 5, 17)
#: Made-up rows with every value, and as many with some left out where the signature allows it.
PROBES = 5 * sum(SIZES)
#: How far the probes lie from the values of the example, in spreads of their column.
SPREADS = (0.0, 1.0, 10.0)
#: Share of the values left out where a column may lack them.
MISSING = 0.1

Rows = list[list[Any]]
#: A row and scikit-learn's label for it, None where that refuses the row.
Probe = tuple[list[Any], Any]


def with_shortcut(model: Model, example: list[dict[str, Any]] | None) -> Model:
    """The model with its shortcut if it has one that is proven; one log line says so, or why not."""
    try:
        quick = replace(model, shortcut=_proven(model, example))
        message = "The shortcut computes the labels."
    except Exception as error:  # a file may hold an estimator of any form, and it is served without one
        reason = str(error) if isinstance(error, NoShortcut) else f"{type(error).__name__}: {error}"
        quick, message = model, f"scikit-learn computes the labels, there is no shortcut: {reason[:300]}."
    identity = model.identity
    logs.write("info", "shortcut", message=message, model=identity.name, model_version=identity.version)
    return quick


@np.errstate(all="ignore")
def _proven(model: Model, example: list[dict[str, Any]] | None) -> Shortcut:
    reading = QuickReading.of(model.signature)
    if reading is None:
        raise NoShortcut("a column is neither double nor long nor integer")
    shortcut = Shortcut.of(model.estimator, reading)
    if not example:
        raise NoShortcut("the model has no input example to try one with")
    known = np.array(validate(example, model.signature), dtype=np.float64)
    probes = [probe for rows in _made_up(reading, known) for probe in _labelled(model, rows)]
    _compare(shortcut, probes)
    return shortcut


def _compare(shortcut: Shortcut, probes: list[Probe]) -> None:
    """NoShortcut unless enough rows have the model's labels, alone and in requests of every size.

    Alone they prove the arithmetic, together that rows do not mix. A request that is left to scikit-learn
    proves nothing, so the requests are made of rows that were answered.
    """
    clear = [probe for probe in probes if _agrees(shortcut, [probe])]
    if len(clear) < sum(SIZES):
        raise NoShortcut(f"it answers {len(clear)} of {len(probes)} made-up rows, too few to compare")
    if len({label for _, label in clear}) < 2:
        raise NoShortcut("the made-up rows do not have two labels to tell apart")
    for part in _requests(len(clear)):
        if not _agrees(shortcut, clear[part]):
            raise NoShortcut(f"it answers {len(clear[part])} rows one by one and not together")
    _agrees(shortcut, probes)


def _agrees(shortcut: Shortcut, probes: list[Probe]) -> bool:
    """Whether a request got these labels and was not left to scikit-learn; NoShortcut if it got others."""
    labels = shortcut.labels([row for row, _ in probes])
    if labels not in (None, [label for _, label in probes]):
        raise NoShortcut("it gives another label than scikit-learn")
    return labels is not None


def _made_up(reading: QuickReading, known: np.ndarray) -> Iterator[Rows]:
    """Rows around those of the example: values mixed and spread, then with some left out."""
    rng = np.random.default_rng(0)
    known = np.nan_to_num(known)
    spread = known.std(axis=0) + 0.1 * np.abs(known).max(axis=0)
    if not np.isfinite(spread).all():
        raise NoShortcut("the input example's values are too large to make up others around them")
    spread[spread == 0] = 1
    rows = rng.permuted(np.resize(known, (PROBES, known.shape[1])), axis=0)
    rows += rng.normal(size=rows.shape) * spread * rng.choice(SPREADS, size=(PROBES, 1))
    rows = np.where(reading.fractions, rows, np.round(rows)).clip(-reading.limits, reading.limits)
    yield rows.tolist()
    left_out = (rng.random(rows.shape) < MISSING) & reading.nulls
    if left_out.any():
        yield np.where(left_out, None, rows).tolist()


def _labelled(model: Model, rows: Rows) -> list[Probe]:
    """Rows with their labels by scikit-learn, asked once; where it refuses any, fewer, one by one."""
    try:
        return list(zip(rows, model.predict(rows), strict=True))
    except Problem:
        return [(row, _label(model, row)) for row in rows[: sum(SIZES)]]


def _label(model: Model, row: list[Any]) -> Any:
    try:
        return model.predict([row])[0]
    except Problem:
        return None


def _requests(count: int) -> Iterator[slice]:
    start = 0
    for size in cycle(SIZES):
        if start >= count:
            break
        yield slice(start, start + size)
        start += size
    yield slice(0, count)
