"""Tables on disk: the same rows give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from data_preprocessing.layout import SCHEMA, TEST, TRAIN, read_json
from data_preprocessing.params import Params

if TYPE_CHECKING:  # pandas takes a second to import; only the stage `clean` needs it
    import pandas as pd

TYPES = {"float": pa.float64(), "integer": pa.int64(), "string": pa.string()}


def build_arrow(table: pd.DataFrame, params: Params) -> pa.Table:
    """Return the frame's columns in the order of params.yaml, without its index and pandas' metadata."""
    fields = [(name, TYPES[column.stored]) for name, column in params.columns.items()]
    arrays = [pa.array(table[name], type=kind, from_pandas=True) for name, kind in fields]
    return pa.table(arrays, schema=pa.schema(fields))


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet whose bytes depend on the rows and the pinned pyarrow alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="snappy", version="2.6", store_schema=False)


def read_table(path: Path) -> pa.Table:
    """Return the table in a Parquet file."""
    return pq.read_table(path)


def read_version(folder: Path) -> tuple[dict, pa.Table, pa.Table]:
    """Return the schema, the training and the test rows that lie below the folder."""
    return read_json(folder / SCHEMA), read_table(folder / TRAIN), read_table(folder / TEST)


def count_rows(folder: Path) -> dict[str, int]:
    """Return how many rows there are to train and to test on."""
    return {
        side: pq.read_metadata(folder / path).num_rows for side, path in (("train", TRAIN), ("test", TEST))
    }
