"""Requests unlike training, made of the served model's own test rows."""

import statistics
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.load_run import served_rows

NUMBERS = ("double", "float")  # types of the signature; whole numbers may be codes of categories
LONGER = 3  # so many times its text is a shifted text


@dataclass(frozen=True)
class Traffic:
    """Rows to ask about, and what was done to them, in words."""

    model: str
    version: str
    shift: float
    shifted: list[str]
    said: str
    rows: list[dict[str, Any]]


def make_traffic(context: Context, shift: float, number: int) -> Traffic:
    """Rows of the served model, `shift` standard deviations away. Raises LoopError where nobody would see."""
    about = context.prediction_api.about()
    if not about:
        raise LoopError("No model is served.", "Run: make up, or make status to see why")
    if not about["logs_predictions"]:
        raise LoopError("Predictions are not logged: nobody sees drift.", "PREDICTION_LOG=on, then: make up")
    rows = served_rows(context)
    numbers = [column["name"] for column in about["signature"] if column["type"] in NUMBERS]
    steps = {name: shift * step for name in numbers if (step := _deviation(rows, name))}
    texts = [] if steps or not shift else [c["name"] for c in about["signature"] if c["type"] == "string"]
    changed = [_longer(row, texts) if texts else _moved(row, steps) for row in rows]
    said = _said(shift, list(steps), texts)
    shifted = texts or (list(steps) if shift else [])
    return Traffic(
        about["name"], about["version"], shift, shifted, said, list(islice(cycle(changed), number))
    )


def _deviation(rows: list[dict[str, Any]], name: str) -> float:
    """The standard deviation of a column over the rows; 0 where there is none."""
    known = [row[name] for row in rows if isinstance(row.get(name), int | float)]
    return statistics.pstdev(known) if known else 0.0


def _moved(row: dict[str, Any], steps: dict[str, float]) -> dict[str, Any]:
    moved = {name: row[name] + step for name, step in steps.items() if isinstance(row.get(name), int | float)}
    return {**row, **moved}


def _longer(row: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    return {**row, **{name: " ".join([str(row[name])] * LONGER) for name in texts if row.get(name)}}


def _said(shift: float, numbers: list[str], texts: list[str]) -> str:
    if not shift:
        return "its test rows as they are"
    if numbers:
        return f"its test rows, {', '.join(numbers)} shifted by {shift:g} standard deviations"
    if texts:
        return f"its test rows with texts {LONGER} times as long, for it has no column of numbers"
    return "its test rows as they are, for it has neither numbers nor texts to shift"
