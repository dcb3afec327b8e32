"""Rows and labels, read from a folder of parquet files and checked against their schema."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model_training.errors import TrainingError
from model_training.report import first_line
from model_training.schema import Schema

FILES = ("train.parquet", "test.parquet", "schema.json")


@dataclass(frozen=True)
class Split:
    """Rows of features and the label of each."""

    rows: pd.DataFrame
    labels: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """What to learn from and what to be judged on."""

    schema: Schema
    train: Split
    test: Split


def read_dataset(folder: Path) -> Dataset:
    """Read train, test and schema; raise TrainingError naming the file, the column and the fault."""
    schema = Schema.read(folder / "schema.json")
    train, test = (_read_split(folder / name, schema) for name in FILES[:2])
    classes = np.unique(train.labels)
    if len(classes) < 2:
        raise TrainingError(
            f"train.parquet holds one class only in {schema.target!r} ({classes[0]}); a classifier needs two."
        )
    return Dataset(schema, train, test)


def _read_split(path: Path, schema: Schema) -> Split:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path.name} is not a readable parquet file: {first_line(error)}.") from error
    missing = [column for column in (*schema.columns, schema.target) if column not in frame]
    if missing:
        raise TrainingError(f"{path.name} lacks the columns {', '.join(missing)} that schema.json lists.")
    if frame.empty:
        raise TrainingError(f"{path.name} holds no rows; check the split of the data.")
    if frame[schema.target].isna().any():
        raise TrainingError(
            f"{path.name}: column {schema.target!r} has rows without a label; drop them in the data."
        )
    rows = pd.DataFrame(
        {name: _column(path.name, frame[name], kind) for name, kind in schema.columns.items()}
    )
    return Split(rows, _labels(frame[schema.target]))


def _labels(column: pd.Series) -> np.ndarray:
    """Labels as they come: text stays text, numbers stay numbers, and no array of objects."""
    return np.array(column.tolist())


def _column(file: str, column: pd.Series, kind: str) -> pd.Series:
    if kind == "numeric":
        return _numbers(file, column)
    missing = column.isna()
    if kind == "text" and missing.any():
        raise TrainingError(
            f"{file}: text column {column.name!r} is empty in {missing.sum()} rows; drop them in the data."
        )
    if kind == "categorical" and pd.api.types.is_numeric_dtype(column) and column.dtype != bool:
        return column  # codes are asked for as numbers; one that is ever empty comes as a double
    return column.astype(str).astype(object).mask(missing, None)


def _numbers(file: str, column: pd.Series) -> pd.Series:
    """Every number as a double, so that a whole number and a fraction are equally welcome when serving."""
    try:
        return pd.to_numeric(column).astype("float64")
    except (ValueError, TypeError) as error:
        raise TrainingError(
            f"{file}: column {column.name!r} is numeric in schema.json but holds more: {first_line(error)}."
        ) from error
