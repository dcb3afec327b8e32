"""Give cells their types, then drop what the rules say: copies of rows, and rows with nulls."""

import math
import re

import pandas as pd

from data_preprocessing.params import Column, Params
from data_preprocessing.validation import Breach

DTYPES = {"float": "float64", "integer": "Int64", "string": "string"}
INTEGER = re.compile(r"[+-]?\d{1,19}")
LARGEST = 2**63 - 1


def give_types(raw: pd.DataFrame, params: Params) -> tuple[pd.DataFrame, list[Breach]]:
    """Return the known columns in the order of params.yaml, and each cell that is not of its dtype.

    Such a cell is null in the returned table. Unknown columns stay at the end, unless they are to be dropped.
    """
    known = [name for name in params.columns if name in raw.columns]
    unknown = [name for name in raw.columns if name not in params.columns]
    table, breaches = pd.DataFrame(index=raw.index), []
    for name in known:
        values, wrong = _convert(raw[name], params.columns[name])
        table[name] = values
        breaches += [
            Breach(name, "dtype", params.columns[name].stored, row, raw.at[row, name]) for row in wrong
        ]
    if params.rules.unexpected_columns == "refuse":
        table[unknown] = raw[unknown]
    return table, breaches


def drop_copies(table: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Return the table without exact copies of an earlier row, if params.yaml asks so."""
    return table.drop_duplicates() if params.cleaning.duplicates == "drop" else table


def drop_nulls(table: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Return the table without the rows that are null in a column with `nulls: drop`."""
    columns = [name for name, column in params.columns.items() if column.nulls == "drop" and name in table]
    return table.dropna(subset=columns) if columns else table


def _convert(cells: pd.Series, column: Column) -> tuple[pd.Series, list[int]]:
    parse = {"float": _parse_float, "integer": _parse_integer, "string": str}[column.stored]
    values = [None if cell is None else parse(cell) for cell in cells]
    wrong = [
        row
        for row, cell, value in zip(cells.index, cells, values, strict=True)
        if cell is not None and value is None
    ]
    return pd.Series(values, index=cells.index, dtype=DTYPES[column.stored]), wrong


def _parse_float(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def _parse_integer(cell: str) -> int | None:
    value = int(cell) if INTEGER.fullmatch(cell) else None
    return value if value is not None and abs(value) <= LARGEST else None
