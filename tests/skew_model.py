"""A scenario's model as its loop stores it, and what it says to the parquet rows: skew_model.py NAME FOLDER

A program of its own, because it knows the tool and `model_training`, and services/prediction-api, whose test
of training-serving skew starts it, may know neither. It leaves `model/`, and `rows.json`: all rows as a
client would send them, with the labels that the model gives to the same rows of the parquet files.
"""

import json
import shutil
import sys
from io import BytesIO
from pathlib import Path

import mlflow
import pandas as pd
import yaml
from model_training.dataset import FILES, Dataset, read_dataset
from model_training.params import Params
from model_training.settings import Settings
from model_training.training import train
from model_training.trust import load_pipeline

from sandbox.scenarios import SCENARIOS
from sandbox.scenarios.parts import Scenario
from sandbox.settings import CODE, DATA

EMPTY_EVERY = 7  # rows; a column that was ever empty is optional for the API


def main(name: str, folder: Path) -> None:
    """Train by the entry point of the task `train`, MLflow being a folder."""
    scenario, uri = SCENARIOS[name], (folder / "mlflow").as_uri()
    mlflow.set_tracking_uri(uri)
    write_data(scenario, folder)
    dataset = read_dataset(folder)
    hexes = ["c" * 40, "d" * 40, "a" * 40, "e" * 12]
    code, data, dags, version = hexes
    settings = Settings("-", "-", uri, version, data, code, dags, "manual-1", "-", "")
    result = train(settings, Params.read(scenario.params[CODE]), lambda: folder)
    stored = mlflow.artifacts.download_artifacts(f"models:/{result['model_id']}")
    shutil.copytree(stored, folder / "model")
    (folder / "rows.json").write_text(json.dumps(rows_of(dataset, folder / "model")))


def write_data(scenario: Scenario, folder: Path) -> None:
    """The files of a data version: every fourth row to test; some cells of two columns are made empty."""
    about = yaml.safe_load(scenario.params[DATA].read_text())
    target, columns = about["dataset"]["target"], about["columns"]
    kinds = {column: rules["kind"] for column, rules in columns.items() if column != target}
    frame = pd.read_csv(BytesIO(scenario.raw())).sample(frac=1, random_state=1, ignore_index=True)
    for kind in ("numeric", "categorical"):
        for column in [each for each in kinds if kinds[each] == kind][:1]:
            frame.loc[frame.index % EMPTY_EVERY == len(kind) % EMPTY_EVERY, column] = None
    held = frame.index % 4 == 0
    for file, part in zip(FILES, (frame[~held], frame[held]), strict=False):
        part.to_parquet(folder / file, index=False)
    schema = {"name": scenario.name, "target": target, "columns": kinds}
    (folder / FILES[2]).write_text(json.dumps(schema))


def rows_of(dataset: Dataset, model: Path) -> dict[str, list]:
    """Instances with null for an empty cell, and the labels of the stored pipeline without any API."""
    rows = pd.concat([dataset.train.rows, dataset.test.rows], ignore_index=True)
    plain = rows.astype(object).where(rows.notna(), None)
    labels = load_pipeline(model / "model.skops").predict(rows).tolist()
    return {"instances": plain.to_dict("records"), "predictions": labels}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
