"""Figures that describe a data version; plain numbers, the same for the same rows."""

import math
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

TOP = 10


def describe_version(schema: dict, train: pa.Table, test: pa.Table) -> dict:
    """Return rows, classes and columns of the two tables taken together; shares are fractions of 1."""
    both = pa.concat_tables([train, test])
    describers = {"numeric": describe_numbers, "categorical": describe_categories, "text": describe_texts}
    columns = {
        name: {"kind": kind, **describers[kind](both[name])} for name, kind in schema["columns"].items()
    }
    return {
        "name": schema["name"],
        "target": schema["target"],
        "rows": {"total": both.num_rows, "train": train.num_rows, "test": test.num_rows},
        "classes": describe_classes(train[schema["target"]], test[schema["target"]]),
        "columns": columns,
    }


def describe_classes(train: pa.ChunkedArray, test: pa.ChunkedArray) -> dict[str, dict]:
    """Return rows on both sides and the share of all rows, for each class."""
    sides = Counter(train.to_pylist()), Counter(test.to_pylist())
    total = len(train) + len(test)
    return {
        str(label): {
            "rows": sides[0][label] + sides[1][label],
            "share": round((sides[0][label] + sides[1][label]) / total, 6),
            "train": sides[0][label],
            "test": sides[1][label],
        }
        for label in sorted(sides[0] | sides[1])
    }


def describe_numbers(column: pa.ChunkedArray) -> dict:
    """Return nulls, mean, standard deviation, quartiles and range; None where there is no value."""
    low, first, median, third, high = pc.quantile(column, q=[0, 0.25, 0.5, 0.75, 1]).to_pylist()
    return {
        "nulls": column.null_count,
        "mean": _round(pc.mean(column).as_py()),
        "std": _round(pc.stddev(column, ddof=1).as_py()),
        "min": _round(low),
        "q25": _round(first),
        "median": _round(median),
        "q75": _round(third),
        "max": _round(high),
    }


def describe_categories(column: pa.ChunkedArray) -> dict:
    """Return nulls, how many categories there are, and the rows of the most frequent ones."""
    counts = Counter(column.drop_null().to_pylist())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        "nulls": column.null_count,
        "distinct": len(counts),
        "top": {str(value): count for value, count in ranked[:TOP]},
    }


def describe_texts(column: pa.ChunkedArray) -> dict:
    """Return nulls, how many texts differ, and their lengths in characters."""
    lengths = pc.utf8_length(column)
    return {
        "nulls": column.null_count,
        "distinct": pc.count_distinct(column).as_py(),
        "min_length": pc.min(lengths).as_py(),
        "mean_length": _round(pc.mean(lengths).as_py()),
        "max_length": pc.max(lengths).as_py(),
    }


def list_metrics(description: dict) -> dict[str, float]:
    """Return the description's numbers under dotted names, for MLflow."""
    return dict(_walk(description, ""))


def _walk(content: dict, prefix: str):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}", value


def _round(value: float | None) -> float | None:
    """Keep ten significant digits: sums may differ in the last bits between machines."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.10g}")
