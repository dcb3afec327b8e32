"""From the rows of a request straight to one array, where every column is a number.

It takes rows only where `validation` would take them with the same values, and says None to everything else:
the rules, their order and their words stay in one place.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from prediction_api.signature import Column, Signature
from prediction_api.values import FLOAT64_MAX

#: How large a number may be. A whole one must be exact as a float too, whichever way scikit-learn takes it.
LIMITS = {"double": np.nextafter(FLOAT64_MAX, 0.0), "long": 2.0**53 - 1, "integer": 2.0**31 - 1}
CELLS = frozenset({int, float, type(None)})


@dataclass(frozen=True)
class QuickReading:
    """What is known of a signature whose rows are one array of float64."""

    names: dict[str, Column]
    #: By column: the largest number, whether a fraction is taken, whether null is.
    limits: np.ndarray
    fractions: np.ndarray
    nulls: np.ndarray

    @classmethod
    def of(cls, signature: Signature) -> "QuickReading | None":
        """The reading for a signature; None where a column holds anything but doubles and whole numbers."""
        columns = signature.columns
        if not all(column.type in LIMITS for column in columns):
            return None
        return cls(
            signature.names,
            np.array([LIMITS[column.type] for column in columns]),
            np.array([column.type == "double" for column in columns]),
            np.array([not column.required for column in columns]),
        )

    def read(self, rows: list[Any]) -> np.ndarray | None:
        """The rows, a missing value as NaN; None if they must be looked at rule by rule."""
        cells = self._cells(rows)
        if cells is None or not CELLS.issuperset(map(type, cells)):
            return None
        try:
            array = np.array(cells, dtype=np.float64).reshape(len(rows), len(self.names))
        except OverflowError:
            return None
        return array if self._fits(array) else None

    def _cells(self, rows: list[Any]) -> list[Any] | None:
        """Every value of every row, in order."""
        cells: list[Any] = []
        for row in rows:
            if type(row) is dict and row.keys() == self.names.keys():
                cells += [row[name] for name in self.names]
            elif type(row) is list and len(row) == len(self.names):
                cells += row
            else:
                return None
        return cells

    def _fits(self, array: np.ndarray) -> bool:
        numbers = (np.abs(array) <= self.limits) & (self.fractions | (array == np.floor(array)))
        # JSON has no NaN: one in the array is a null.
        return bool((numbers | (self.nulls & np.isnan(array))).all())
