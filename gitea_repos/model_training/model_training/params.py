"""What to train: `params.yaml`."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from model_training.errors import TrainingError
from model_training.space import SECTIONS, check_search

FORMS = {
    "model": (str, "a name of lower-case letters, digits, _ and -"),
    "pipeline": (str, "the name of a pipeline"),
    "seed": (int, "a whole number from 0 to 4294967295"),
    "classifier": (dict, "a mapping of scikit-learn parameters"),
    "text": (dict, "a mapping of scikit-learn parameters"),
    "search": (dict, "a mapping with trials, and what to try of classifier and text"),
}
REQUIRED = ("model", "pipeline", "seed")


@dataclass(frozen=True)
class Params:
    """The model's name, its pipeline, its parameters in scikit-learn's words, and the search for some."""

    model: str
    pipeline: str
    seed: int
    classifier: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file; raise TrainingError naming the key and what it may hold."""
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise TrainingError(
                f"{path.name} is no readable YAML: {' '.join(str(error).split())}."
            ) from error
        if not isinstance(raw, dict):
            raise TrainingError(f"{path.name} must be a mapping with the keys {', '.join(FORMS)}.")
        _check_keys(path.name, raw)
        read = cls(**{key: value if key == "search" else _tuples(value) for key, value in raw.items()})
        if read.search:
            check_search(path.name, read.search, {part: getattr(read, part) for part in SECTIONS})
        return read

    def searched(self, part: str) -> dict[str, Any]:
        """What the search may try of `classifier` or `text`; empty without a search."""
        return self.search.get(part) or {}

    def flat(self) -> dict[str, Any]:
        """Every value under one dotted name, for the record of a run."""
        nested = {f"{part}.{key}": v for part in SECTIONS for key, v in getattr(self, part).items()}
        searched = {"search.trials": self.search["trials"]} if self.search else {}
        return {"pipeline": self.pipeline, "seed": self.seed, **nested, **searched}


def _check_keys(file: str, raw: dict[str, Any]) -> None:
    unknown = [str(key) for key in raw if key not in FORMS]
    if unknown:
        raise TrainingError(f"{file} has the unknown key {unknown[0]!r}; known: {', '.join(FORMS)}.")
    for key in REQUIRED:
        if key not in raw:
            raise TrainingError(f"{file} lacks the key {key!r}: {FORMS[key][1]}.")
    for key, value in raw.items():
        if not _fits(key, value):
            raise TrainingError(f"{file}: {key} is {value!r}; it must be {FORMS[key][1]}.")


def _fits(key: str, value: object) -> bool:
    if key == "model":
        return isinstance(value, str) and re.fullmatch(r"[a-z0-9][a-z0-9_-]*", value) is not None
    if key == "seed":
        return type(value) is int and 0 <= value < 2**32
    return isinstance(value, FORMS[key][0])


def _tuples(value: Any) -> Any:
    # YAML knows lists only; scikit-learn wants pairs such as ngram_range as tuples.
    if isinstance(value, dict):
        return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
    return value
