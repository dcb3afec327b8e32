"""`python -m data_preprocessing.smoke`: the whole pipeline on a made-up table, without network.

The table is made from params.yaml, so the check fits any data set. Run it in an image to see that the
image works.
"""

import csv
import itertools
import random
import shutil
import sys
import tempfile
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
    chance = random.Random(params.split.seed)
    rows = max(LEAST_ROWS, 2 * params.rules.min_rows)
    makers = [_make_values(column, chance) for column in params.columns.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=params.raw.encoding) as sink:
        writer = csv.writer(sink, delimiter=params.raw.delimiter, lineterminator="\n")
        writer.writerow(params.columns)
        writer.writerows(itertools.islice(zip(*makers, strict=True), rows))


def _make_values(column: Column, chance: random.Random):
    """Yield values for ever: in the range, evenly over the categories, each once where it must be unique."""
    low = column.min if column.min is not None else (column.max or 100) - 100
    high = column.max if column.max is not None else low + 100
    for number in itertools.count():
        if column.kind == "numeric":
            value = low + (high - low) * ((number * 0.6180339887) % 1 if column.unique else chance.random())
            yield round(value) if column.stored == "integer" else value
        elif column.kind == "categorical" and not column.unique:
            labels = column.allowed or ([0, 1] if column.stored == "integer" else ["no", "yes"])
            yield labels[number % len(labels)]
        elif column.stored == "integer":
            yield number
        else:
            yield " ".join([*chance.choices(WORDS, k=6), str(number)])


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
