"""Read the raw CSV as trimmed text, each row under its line number."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from data_preprocessing.errors import Rejected
from data_preprocessing.layout import RAW
from data_preprocessing.params import Raw

if TYPE_CHECKING:
    from _csv import Reader  # the type of csv.reader(), which csv itself does not name

LONGEST_CELL = 10_000_000
OTHER_DELIMITERS = ",;\t|"


def read_csv(raw: Raw, path: Path = RAW) -> pd.DataFrame:
    """Return all cells as trimmed text, nulls as None; the index is the line in the file (header: 1).

    Raises Rejected when the file is missing, is not such a CSV or has no rows.
    """
    csv.field_size_limit(LONGEST_CELL)
    encoding = "utf-8-sig" if raw.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else raw.encoding
    try:
        _refuse_binary(path)
        with path.open(newline="", encoding=encoding) as source:
            return _build_table(csv.reader(source, delimiter=raw.delimiter, strict=True), raw)
    except FileNotFoundError:
        raise Rejected(f"There is no {path}: fetch the raw data first (make repro).") from None
    except UnicodeDecodeError:
        raise Rejected(f"The raw file is not {raw.encoding} text: set raw.encoding.") from None
    except csv.Error as error:
        raise Rejected(
            f"The raw file is not a CSV ({error}): mend its quotes or set raw.delimiter."
        ) from None


def _refuse_binary(path: Path) -> None:
    with path.open("rb") as source:
        start = source.read(4096)
    if not start.strip():
        raise Rejected("The raw file is empty: it must hold a header and rows.")
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in start and not wide:
        raise Rejected("The raw file is binary, not a CSV: export it as text.")
    if start.lstrip()[:1] == b"<":
        raise Rejected("The raw file is HTML or XML, not a CSV: was an error page saved in its place?")


def _build_table(reader: "Reader", raw: Raw) -> pd.DataFrame:
    header = _read_header(reader)
    lines, rows = [], []
    for line, row in _number(reader):
        if len(row) != len(header):
            raise Rejected(
                f"Line {line} of the raw file has {len(row)} cells, the header {len(header)}: "
                "mend the line or set raw.delimiter."
            )
        lines.append(line)
        rows.append([_clean_cell(cell, raw.null_values) for cell in row])
    if not rows:
        raise Rejected("The raw file has a header but no rows.")
    return pd.DataFrame(rows, columns=header, index=lines, dtype=object)


def _read_header(reader: "Reader") -> list[str]:
    header = [name.strip() for name in next((row for _, row in _number(reader)), [])]
    if len(header) == 1:
        found = [sign for sign in OTHER_DELIMITERS if sign in header[0]]
        if found:
            raise Rejected(
                f"The raw file's header is one cell with {found[0]!r} in it: set raw.delimiter to that."
            )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise Rejected(f"The raw file's header names {twice[0]!r} twice: each column needs its own name.")
    return header


def _number(reader: "Reader") -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it starts on; blank lines are no rows."""
    line = reader.line_num + 1
    for row in reader:
        if row:
            yield line, row
        line = reader.line_num + 1


def _clean_cell(cell: str, nulls: list[str]) -> str | None:
    trimmed = cell.strip()
    return None if trimmed in nulls else trimmed
