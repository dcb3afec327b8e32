"""`python -m data_preprocessing.smoke`: the whole pipeline on a made-up table, without network.

The table is made from params.yaml, so the check fits any data set. Run it in an image to see that the
image works.
"""

import csv
import itertools
import math
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from data_preprocessing import layout
from data_preprocessing.console import say
from data_preprocessing.errors import DataError, Rejected
from data_preprocessing.layout import write_text
from data_preprocessing.params import Column, Params, load_params
from data_preprocessing.store import isolate, open_project, push_outputs, reproduce
from data_preprocessing.tables import count_rows
from data_preprocessing.versions import name_version, read_outputs

PROJECT = ("dvc.yaml", "params.yaml", "data_preprocessing")
LEAST_ROWS = 200
# A class of n rows has none on a side of share s once in e^(ns) splits.
CLASS_ROWS_ON_A_SIDE = 15
# Where values are few, rows repeat: so many are made up for each one wanted.
TRIES = 20
WORDS = ("clear", "dull", "fine", "good", "late", "new", "old", "plain", "quick", "slow", "strange", "warm")


def check_project(project: Path) -> str:
    """Run the pipeline on a copy of the project; return one line about it or raise DataError."""
    params = load_params(project / layout.PARAMS)
    if find_spec("mlflow") is None:
        raise Rejected("MLflow's client is not installed: install requirements.lock.")
    with tempfile.TemporaryDirectory(prefix="smoke-") as name, isolate(Path(name)):
        folder = Path(name, "project")
        copy_project(project, folder)
        make_table(params, folder / layout.RAW)
        with open_project(folder, Path(name, "remote").as_uri(), Path(name, "cache")) as opened:
            reproduce(opened)
            push_outputs(opened, Path(name, "remote").as_uri())
        rows = count_rows(folder)
        version = name_version(read_outputs(folder))
    return f"smoke: {rows['train']} rows to train, {rows['test']} to test, data version {version}"


def copy_project(project: Path, folder: Path) -> None:
    """Copy what the pipeline needs, as a DVC project without Git."""
    write_text(folder / ".dvc/config", "[core]\n    no_scm = true")
    for name in PROJECT:
        source, target = project / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def make_table(params: Params, path: Path) -> None:
    """Write a raw CSV that keeps the rules in params.yaml, the same on every call."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=params.raw.encoding) as sink:
        writer = csv.writer(sink, delimiter=params.raw.delimiter, lineterminator="\n")
        writer.writerow(params.columns)
        writer.writerows(make_rows(params))


def make_rows(params: Params) -> list[tuple]:
    """Return rows that differ, without words for null; copies only where they are kept and needed."""
    chance = random.Random(params.split.seed)  # noqa: S311 -- made-up rows, the same on every call
    needed = _count_needed(params)
    wanted = max(LEAST_ROWS, needed, _count_for_both_sides(params))
    # Classes come in turn, so that each gets its share; a maker that runs out of values ends the table.
    makers = [
        _take_turns(column) if name == params.dataset.target else _make_values(column, chance)
        for name, column in params.columns.items()
    ]
    tried = itertools.islice(zip(*makers, strict=False), TRIES * wanted)
    full = (row for row in tried if not {str(value) for value in row} & set(params.raw.null_values))
    rows = list(itertools.islice(_skip_copies(full), wanted))
    if params.cleaning.duplicates == "keep" and len(rows) < needed:
        return list(itertools.islice(itertools.cycle(rows), needed))
    return rows


def _count_needed(params: Params) -> int:
    """Return how many rows are enough for the rules, and some more."""
    return 2 * max(params.rules.min_rows, params.rules.min_class_rows * _count_classes(params))


def _count_for_both_sides(params: Params) -> int:
    """Return how many rows bring every class to both sides of the split."""
    share = params.split.test_share
    return math.ceil(CLASS_ROWS_ON_A_SIDE / min(share, 1 - share)) * _count_classes(params)


def _count_classes(params: Params) -> int:
    return len(_list_labels(params.columns[params.dataset.target]))


def _skip_copies(rows: Iterator[tuple]) -> Iterator[tuple]:
    seen = set()
    for row in rows:
        if row not in seen:
            seen.add(row)
            yield row


def _list_labels(column: Column) -> list:
    return column.allowed or ([0, 1] if column.stored == "integer" else ["no", "yes"])


def _take_turns(column: Column) -> Iterator:
    return iter(column.allowed) if column.unique and column.allowed else itertools.cycle(_list_labels(column))


def _make_values(column: Column, chance: random.Random) -> Iterator:
    """Return values that the column may hold, each once where it must be unique."""
    if column.kind == "numeric":
        make = _make_integers if column.stored == "integer" else _make_floats
        return make(column, chance)
    if column.kind == "categorical" and (column.allowed or not column.unique):
        labels = _list_labels(column)
        return iter(labels) if column.unique else (chance.choice(labels) for _ in itertools.count())
    if column.stored == "integer":
        return itertools.count()
    return (" ".join([*chance.choices(WORDS, k=6), str(number)]) for number in itertools.count())


def _make_integers(column: Column, chance: random.Random) -> Iterator[int]:
    if column.unique and column.min is None and column.max is not None:
        return itertools.count(math.floor(column.max), -1)
    if column.unique and column.max is None:
        return itertools.count(math.ceil(column.min or 0))
    low, high = _choose_range(column)
    first, last = math.ceil(low), max(math.ceil(low), math.floor(high))
    if column.unique:
        return iter(range(first, last + 1))
    return (chance.randint(first, last) for _ in itertools.count())


def _make_floats(column: Column, chance: random.Random) -> Iterator[float]:
    low, high = _choose_range(column)
    return (low + (high - low) * chance.random() for _ in itertools.count())


def _choose_range(column: Column) -> tuple[float, float]:
    if column.min is None:
        return (column.max - 100, column.max) if column.max is not None else (0, 100)
    return column.min, column.max if column.max is not None else column.min + 100


def main() -> int:
    """Print what the check found and return the exit code."""
    try:
        say(check_project(Path.cwd()))
    except DataError as error:
        say(f"smoke failed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
