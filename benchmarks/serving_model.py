"""The model that is served in the benchmark: iris, by the code and parameters of `model_training`."""

import json
from pathlib import Path
from typing import Any

import models
from model_training.dataset import Split
from model_training.params import Params
from model_training.pipelines import fit_pipeline
from model_training.schema import Schema
from model_training.trust import check_types
from prediction_api.loading import load

PARAMS = Path(__file__).resolve().parent.parent / "gitea_repos/model_training/params.yaml"


def train() -> models.Trained:
    """The fitted pipeline with what MLflow wants to know of it."""
    inputs, labels = models.iris()
    params = Params.read(PARAMS)
    schema = Schema(params.model, "species", dict.fromkeys(inputs.columns, "numeric"))
    pipeline = fit_pipeline(params, schema, Split(inputs, labels.to_numpy()))
    return models.Trained(pipeline, inputs, check_types(pipeline))


def load_model(folder: Path) -> Any:
    """The estimator in MLflow's folder, loaded as the API loads it."""
    return load(folder, models.identity("1")).estimator


def rows_of(count: int) -> Any:
    """So many rows of the training data, the same each time."""
    return models.iris()[0].sample(count, random_state=1)


def write_body(count: int, folder: Path) -> Path:
    """A request with these rows, in a form that both servers understand."""
    path = folder / f"{count}.json"
    path.write_text(json.dumps({"instances": rows_of(count).to_dict("records")}))
    return path
