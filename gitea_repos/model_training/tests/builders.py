"""What the tests are made of: rows, folders, Git."""

import hashlib
import json
import subprocess
from pathlib import Path

import pandas as pd
import yaml
from sklearn.datasets import load_iris

FROZEN_PARAMS = Path(__file__).with_name("params.yaml")
IRIS = {
    "name": "iris",
    "target": "species",
    "columns": dict.fromkeys(("sepal_length", "sepal_width", "petal_length", "petal_width"), "numeric"),
}


def iris_frame() -> pd.DataFrame:
    """The 150 flowers, with the names of their species."""
    bunch = load_iris(as_frame=True)
    frame = bunch.data.set_axis(list(IRIS["columns"]), axis=1)
    return frame.assign(species=[str(bunch.target_names[number]) for number in bunch.target])


def write_folder(folder: Path, train: pd.DataFrame, test: pd.DataFrame, schema: dict) -> Path:
    """A data folder as the data task leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    train.to_parquet(folder / "train.parquet", index=False)
    test.to_parquet(folder / "test.parquet", index=False)
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder


def git(folder: Path, *words: str) -> None:
    """Run Git in a folder as nobody in particular."""
    identity = ("-c", "user.name=data", "-c", "user.email=data@localhost")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def data_version(lock: Path) -> str:
    """The data version, computed from its definition."""
    outs = yaml.safe_load(lock.read_text())["stages"]["split"]["outs"]
    lines = sorted(f"{out['path']} {out['md5']}\n" for out in outs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]
