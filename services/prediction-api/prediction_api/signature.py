"""The model's signature: which columns it asks for, in which order and of which kind.

Source of the format: the `signature` block of MLflow's MLmodel file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from prediction_api.errors import Refusal
from prediction_api.values import KINDS, Kind

NUMBERS = frozenset({"double", "float", "long", "integer"})


@dataclass(frozen=True)
class Column:
    """One input column."""

    name: str
    type: str
    required: bool

    @cached_property
    def kind(self) -> Kind:
        """How values of this column are read."""
        return KINDS[self.type]

    @property
    def dtype(self) -> str:
        """The dtype that holds every value this column may have, missing ones included."""
        return self.kind.dtype if self.required else self.kind.dtype_with_missing


@dataclass(frozen=True)
class Signature:
    """The input columns of one model."""

    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> dict[str, Column]:
        """Column by name, in the order of the model."""
        return {column.name: column for column in self.columns}

    @cached_property
    def index(self) -> pd.Index:
        """The column names as pandas wants them, made once."""
        return pd.Index(list(self.names))

    @cached_property
    def float_dtype(self) -> str | None:
        """The dtype all columns share if it is a float: one array then makes the whole frame."""
        dtypes = {column.kind.dtype for column in self.columns}
        return dtypes.pop() if len(dtypes) == 1 and dtypes <= {"float64", "float32"} else None

    @cached_property
    def array_dtype(self) -> str | None:
        """The dtype of the rows as one array, as pandas would choose it; None unless all are numbers."""
        if not {column.type for column in self.columns} <= NUMBERS:
            return None
        return str(np.result_type(*(column.dtype for column in self.columns)))

    def array(self, table: Sequence[Sequence[Any]]) -> np.ndarray:
        """The rows, already validated, as one array; only where `array_dtype` is not None."""
        return np.array(table, dtype=self.array_dtype)

    def frame(self, table: Sequence[Sequence[Any]]) -> pd.DataFrame:
        """The rows, already validated, as the DataFrame the model was trained on."""
        if self.float_dtype:
            return pd.DataFrame(np.array(table, dtype=self.float_dtype), columns=self.index, copy=False)
        cells = zip(*table, strict=True)
        return pd.DataFrame(
            {
                column.name: _series(values, column.kind)
                for column, values in zip(self.columns, cells, strict=True)
            }
        )

    def neutral_row(self) -> dict[str, Any]:
        """A row that fits the signature, for a model without an input example."""
        return {column.name: column.kind.neutral for column in self.columns}

    def describe(self) -> list[dict[str, Any]]:
        """The columns as JSON."""
        return [{"name": c.name, "type": c.type, "required": c.required} for c in self.columns]


def _series(values: tuple[Any, ...], kind: Kind) -> pd.Series:
    return pd.Series(list(values), dtype=kind.dtype_with_missing if None in values else kind.dtype)


def read_signature(block: Any) -> Signature:
    """The signature in MLmodel's `signature` block; Refusal if the API cannot serve it."""
    if not isinstance(block, dict) or not block.get("inputs"):
        raise Refusal("the model has no signature; log it with signature=infer_signature(inputs, outputs)")
    try:
        specs = json.loads(block["inputs"])
        columns = tuple(_column(spec) for spec in specs)
    except (ValueError, TypeError, AttributeError) as error:
        raise Refusal(f"the model's signature cannot be read: {error}") from error
    if not columns or len({column.name for column in columns}) != len(columns):
        raise Refusal("the model's signature has no columns, or two of the same name")
    return Signature(columns)


def _column(spec: dict[str, Any]) -> Column:
    name, type_ = spec.get("name"), spec.get("type")
    if not isinstance(name, str):
        raise Refusal("the model's signature has no column names; log the model with a DataFrame")
    if type_ not in KINDS:
        raise Refusal(f"column {name} has type {type_}; the API serves {', '.join(KINDS)}")
    return Column(name, type_, spec.get("required", True) is not False)
