"""What a scenario is made of."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from sandbox.settings import CODE, DATA


@dataclass(frozen=True)
class Scenario:
    """A data set and the model of it; `name` is that of the registered model too.

    `params` has the params.yaml of each repository, `raw` makes the raw file's content, `example` is a row to
    ask the model with.
    """

    name: str
    about: str
    raw_file: str
    raw: Callable[[], bytes]
    params: Mapping[str, Path]
    example: Mapping[str, Any]


def params_beside(module: str) -> dict[str, Path]:
    """The two files of the folder in which a scenario's `__init__.py` lies."""
    return {repository: Path(module).with_name(f"{repository}.yaml") for repository in (DATA, CODE)}


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table as the data store holds it: UTF-8, commas, a header."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()
