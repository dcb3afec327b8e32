"""Where files lie, relative to the project's folder."""

import json
from pathlib import Path

PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")

RAW = Path("data/raw.csv")
CLEAN = Path("data/clean.parquet")
PROCESSED = Path("data/processed")
TRAIN = PROCESSED / "train.parquet"
TEST = PROCESSED / "test.parquet"
SCHEMA = PROCESSED / "schema.json"

REPORTS = Path("reports")
VALIDATION = REPORTS / "validation.json"
CLEANING = REPORTS / "cleaning.json"
DESCRIPTION = REPORTS / "description.json"
DESCRIPTION_TEXT = REPORTS / "description.md"
FIGURES = REPORTS / "figures"
DIFFERENCE = REPORTS / "diff.json"
DIFFERENCE_TEXT = REPORTS / "diff.md"
FAILURE = REPORTS / "failure.json"


def write_text(path: Path, text: str) -> None:
    """Write the text and a final newline, making the folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def write_json(path: Path, content: dict) -> None:
    """Write readable JSON, equal bytes for equal content."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def read_json(path: Path) -> dict:
    """Return the object in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
