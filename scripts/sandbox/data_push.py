"""`sandbox data push`: a new raw file, and the loop with it."""

import csv
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from sandbox import console
from sandbox.by_hand import start_and_follow
from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.git import git
from sandbox.raw_store import raw_store
from sandbox.receipt import DAG, Receipt, Stage
from sandbox.settings import DATA

PARAMS = "params.yaml"
WHERE = f"{PARAMS} of {DATA}"


@dataclass(frozen=True)
class RawSettings:
    """What params.yaml says of the raw file; no file: the rows come from a query."""

    file: str
    delimiter: str
    encoding: str
    target: str


def push_data(context: Context, file: Path, name: str, seconds: float) -> Receipt:
    """Put the file into the data store and follow the run that reads it. Raises LoopError, ServiceError."""
    raw = read_settings(context)
    stored = _stored_name(name or raw.file)
    if stored == raw.file:
        check_csv(file, raw)
    elif not file.stat().st_size:
        raise LoopError(f"{file} is empty.", "Name a file with rows")
    with file.open("rb") as source:
        raw_store(context).put(stored, source)
    console.done(f"{file} is {stored} in the data store")
    if stored != raw.file:
        return _unread(stored, raw)
    return start_and_follow(context, DAG, {"reason": "data"}, seconds)


def read_settings(context: Context) -> RawSettings:
    """From params.yaml at the head of main. Raises LoopError where it cannot be read."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, url = Path(scratch), context.endpoints.clone_url(DATA)
        git("clone", "--quiet", "--bare", "--depth=1", "--branch=main", url, scratch, folder=folder)
        text = git("show", f"main:{PARAMS}", folder=folder)
    try:
        found: dict[str, Any] = yaml.safe_load(text)
        raw, target = found["raw"], found["dataset"]["target"]
        file = str(PurePosixPath(raw["file"])) if raw.get("file") else ""
        return RawSettings(file, raw.get("delimiter", ","), raw.get("encoding", "utf-8"), target)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise LoopError(
            f"{WHERE} does not say what the raw data are: {error}", "Mend raw and dataset there, and push"
        ) from error


def check_csv(file: Path, raw: RawSettings) -> None:
    """The file reads as CSV with a header and a row; every other rule is for the stage `data`."""
    try:
        with file.open(newline="", encoding=raw.encoding) as source:
            rows = list(islice((row for row in csv.reader(source, delimiter=raw.delimiter) if row), 2))
    except UnicodeDecodeError as error:
        raise LoopError(
            f"{file} is not in {raw.encoding}: {error}", f"Convert it, or mend {WHERE}"
        ) from error
    except (csv.Error, LookupError, TypeError) as error:
        raise LoopError(f"{file} cannot be read as {WHERE} says: {error}", "Mend one of them") from error
    if not rows:
        raise LoopError(f"{file} is empty.", "Its first line holds the columns' names, then come rows")
    if raw.target not in [cell.strip() for cell in rows[0]]:
        raise LoopError(
            f"The first line of {file} names no column {raw.target!r}, the target in {WHERE}.",
            f"It must hold the columns' names, separated by {raw.delimiter!r}",
        )
    if len(rows) == 1:
        raise LoopError(f"{file} has a header and no rows.", "Name a file with rows")


def _stored_name(name: str) -> str:
    """The name as a path below the store's root."""
    if not name:
        raise LoopError(
            f"{WHERE} reads its rows by a query (raw.query), not from a file.",
            "Change the table, then: sandbox run --reason data. Or name a file in raw.file and push that",
        )
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path == PurePosixPath():
        raise LoopError(f"{name!r} is no name in the data store.", "Give a path below its root, without '..'")
    return str(path)


def _unread(stored: str, raw: RawSettings) -> Receipt:
    reads = raw.file or "a query"
    why = f"{WHERE} reads {reads}: name {stored} in raw.file there and push; that starts the loop"
    return Receipt(stored, "", "", "skipped", None, [Stage("data", "skipped", detail=why)])
