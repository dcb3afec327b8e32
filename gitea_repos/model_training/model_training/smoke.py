"""Proof that this image can train and store what params.yaml names: `python -m model_training.smoke`.

Rows are made up for every kind of column the pipeline takes; no network, no data store, no MLflow.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import skops.io

from model_training.dataset import Split
from model_training.params import Params
from model_training.pipelines import find_recipe, fit_pipeline
from model_training.report import run_task
from model_training.schema import Schema
from model_training.settings import PARAMS_FILE
from model_training.trust import check_types, load_pipeline

ROWS = 240


def check_kinds(params: Params) -> dict[str, Any]:
    """Train, store, load again and predict for each kind alone and for all together."""
    kinds = find_recipe(params).kinds
    for chosen in dict.fromkeys([*((kind,) for kind in kinds), kinds]):
        _check_round_trip(params, Schema(params.model, "label", {f"a_{kind}": kind for kind in chosen}))
    return {
        "state": "passed",
        "detail": f"{params.pipeline} trains, stores and predicts with {', '.join(kinds)} columns.",
    }


def made_up_labels(params: Params) -> list:
    """Two labels: those that class_weight names, for it may name no others."""
    weights = params.classifier.get("class_weight")
    named = list(weights) if isinstance(weights, dict) else []
    spare = ["good", "bad"] if not named or isinstance(named[0], str) else [0, 1]
    return list(dict.fromkeys([*named, *spare]))[:2]


def made_up_rows(schema: Schema, labels: Sequence = ("good", "bad")) -> Split:
    """Rows of two classes that every kind of column can tell apart, a few of them incomplete."""
    number = np.arange(ROWS)
    positive = number % 2 == 0
    columns = {
        "numeric": np.where(number % 10 == 9, np.nan, positive * 3 + number / ROWS),
        "categorical": np.where(number % 10 == 9, np.array(None), np.where(positive, "red", "blue")),
        # Words of every frequency, so that neither min_df nor max_df leaves none.
        "text": [
            f"a {'fine and lovely' if even else 'poor and dreary'} thing of sort {row % 3}0 in box {row % 7}0"
            for row, even in enumerate(positive)
        ],
    }
    rows = pd.DataFrame({name: pd.Series(columns[kind]) for name, kind in schema.columns.items()})
    rows = rows.astype({name: object for name, kind in schema.columns.items() if kind != "numeric"})
    return Split(rows, np.where(positive, *labels))


def _check_round_trip(params: Params, schema: Schema) -> None:
    split = made_up_rows(schema, made_up_labels(params))
    pipeline = fit_pipeline(params, schema, split)
    check_types(pipeline)
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "model.skops")
        skops.io.dump(pipeline, path)
        predicted = load_pipeline(path).predict(split.rows)
    if not (predicted == pipeline.predict(split.rows)).all():
        raise RuntimeError(f"The stored {params.pipeline} predicts otherwise than the trained one.")


if __name__ == "__main__":
    sys.exit(run_task(lambda: check_kinds(Params.read(PARAMS_FILE))))
