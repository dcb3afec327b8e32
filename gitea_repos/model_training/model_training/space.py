"""What a search may try: the key `search` of params.yaml, checked without heavy libraries."""

import math
from typing import Any

from model_training.errors import TrainingError

SECTIONS = ("classifier", "text")
KEYS = ("trials", *SECTIONS)
MOST_TRIALS = 1000
RANGE = "a list of values, or {low: …, high: …} with log: true or step: … where it is wanted"


def check_search(file: str, search: dict[str, Any], fixed: dict[str, dict[str, Any]]) -> None:
    """Raise TrainingError naming what is wrong; `fixed` are the parameters that stand outside of `search`."""
    if unknown := [str(key) for key in search if key not in KEYS]:
        raise TrainingError(f"{file}: search.{unknown[0]} is unknown; known: {', '.join(KEYS)}.")
    trials = search.get("trials")
    if type(trials) is not int or not 1 <= trials <= MOST_TRIALS:
        raise TrainingError(
            f"{file}: search.trials is {trials!r}; it must be a whole number from 1 to {MOST_TRIALS}."
        )
    spaces = {
        (part, name): space for part in SECTIONS for name, space in _section(file, search, part).items()
    }
    if not spaces:
        raise TrainingError(
            f"{file}: search names no parameter; give one below search.classifier or search.text."
        )
    for (part, name), space in spaces.items():
        if name in fixed[part]:
            raise TrainingError(f"{file}: {part}.{name} is set and searched; remove one of the two.")
        if not _is_space(space):
            raise TrainingError(f"{file}: search.{part}.{name} is {space!r}; it must be {RANGE}.")


def _section(file: str, search: dict[str, Any], part: str) -> dict[str, Any]:
    section = search.get(part) or {}
    if not isinstance(section, dict):
        raise TrainingError(f"{file}: search.{part} is {section!r}; it must be a mapping of parameters.")
    return section


def _is_space(space: Any) -> bool:
    if isinstance(space, list | tuple):
        return len(space) > 0
    if not isinstance(space, dict) or not {"low", "high"} <= space.keys() <= {"low", "high", "log", "step"}:
        return False
    low, high, step = space["low"], space["high"], space.get("step")
    if not all(_is_number(value) for value in (low, high)) or low >= high:
        return False
    if space.get("log"):
        return space["log"] is True and low > 0 and step is None
    return step is None or (_is_number(step) and 0 < step <= high - low)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
