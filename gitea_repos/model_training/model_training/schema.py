"""What the columns of a data set are: `schema.json` beside the rows."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from model_training.errors import TrainingError

KINDS = ("numeric", "categorical", "text")


@dataclass(frozen=True)
class Schema:
    """A data set's name, the column to predict and the kind of every other column, in order."""

    name: str
    target: str
    columns: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a schema file; raise TrainingError saying what is wrong with it."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            schema = cls(raw["name"], raw["target"], dict(raw["columns"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{path.name} is not readable ({type(error).__name__}: {error}); needs name, target, columns."
            ) from error
        schema._check(path.name)
        return schema

    def of_kind(self, kind: str) -> list[str]:
        """The names of the columns of one kind, in order."""
        return [column for column, its_kind in self.columns.items() if its_kind == kind]

    @property
    def fingerprint(self) -> str:
        """12 hex digits, equal for equal target, columns, kinds and order."""
        shape = json.dumps([self.target, list(self.columns.items())])
        return hashlib.sha256(shape.encode()).hexdigest()[:12]

    def _check(self, file: str) -> None:
        if not self.columns or self.target in self.columns:
            raise TrainingError(f"{file} must list at least one column, and not the target {self.target!r}.")
        for column, kind in self.columns.items():
            if kind not in KINDS:
                raise TrainingError(
                    f"{file}: column {column!r} has the kind {kind!r}; known: {', '.join(KINDS)}."
                )
