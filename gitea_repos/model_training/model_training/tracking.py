"""The record of a training in MLflow."""

import json
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from requests.exceptions import RequestException
from sklearn.pipeline import Pipeline

from model_training.dataset import Dataset
from model_training.errors import TrainingError, UnavailableError
from model_training.report import first_line
from model_training.search import Tried

RESULT_FILE = "result.json"
EXAMPLE_ROWS = 3
# What a finished run must share with the task to stand for it.
ORIGIN = ("code_commit", "data_commit", "data_version", "image", "dag_commit")
SERVING_LIBRARIES = ("scikit-learn", "skops", "numpy", "scipy", "pandas")


@contextmanager
def mlflow_errors(uri: str) -> Iterator[None]:
    """Turn whatever the MLflow client raises into one UnavailableError with the server's address."""
    try:
        yield
    except (MlflowException, RequestException) as error:
        raise UnavailableError(f"MLflow at {uri} did not do its part: {first_line(error)}") from error


class Experiment:
    """The MLflow experiment of one model, and the runs of one loop in it."""

    def __init__(self, name: str, loop_run_id: str) -> None:
        self.client = MlflowClient()
        self._loop_run_id = loop_run_id
        self._id = self._find_or_create(name)

    def finished_result(self, tags: dict[str, str]) -> dict[str, Any] | None:
        """What an earlier try of the loop reported, if it finished on the same commits, data and image."""
        run = next((run for run in self._runs("FINISHED") if _same_origin(run, tags)), None)
        if run is None:
            return None
        with TemporaryDirectory() as folder:
            path = self.client.download_artifacts(run.info.run_id, RESULT_FILE, folder)
            return json.loads(Path(path).read_text(encoding="utf-8"))

    def end_abandoned_runs(self) -> None:
        """Mark the runs of earlier tries that never ended as killed, a trial's too."""
        for run in self._runs("RUNNING"):
            below = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}' and attributes.status = 'RUNNING'"
            for each in (run, *self.client.search_runs([self._id], below)):
                self.client.set_terminated(each.info.run_id, status="KILLED")

    def run(self, tags: dict[str, str]) -> AbstractContextManager[Run]:
        """A new active run; leaving it ends it as finished, or as failed on an error."""
        return mlflow.start_run(experiment_id=self._id, run_name=self._loop_run_id, tags=tags)

    def log_figures(self, run: Run, params: dict[str, Any], metrics: dict[str, float]) -> None:
        """Store parameters and metrics in one request."""
        moment = run.info.start_time
        self.client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, value, moment, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in params.items()],
        )

    def log_trial(self, run: Run, tried: Tried) -> None:
        """Store a trial of a search as a run below this one; without a figure as failed.

        It has no loop_run_id: it stands for no loop.
        """
        tags = {MLFLOW_PARENT_RUN_ID: run.info.run_id}
        name, began = f"trial {tried.number + 1}", int(tried.began * 1000)
        trial = self.client.create_run(self._id, start_time=began, run_name=name, tags=tags)
        figures = {} if tried.macro_f1 is None else {"macro_f1": tried.macro_f1}
        self.log_figures(trial, tried.params, figures)
        self.client.set_terminated(trial.info.run_id, status="FINISHED" if figures else "FAILED")

    def _runs(self, status: str) -> list[Run]:
        wanted = f"tags.loop_run_id = '{self._loop_run_id}' and attributes.status = '{status}'"
        return list(self.client.search_runs([self._id], wanted, order_by=["attributes.start_time DESC"]))

    def _find_or_create(self, name: str) -> str:
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            return self.client.create_experiment(name)
        if experiment.lifecycle_stage != "active":
            number = experiment.experiment_id
            raise TrainingError(
                f"The MLflow experiment {name} is deleted; run: mlflow experiments restore -x {number}"
            )
        return experiment.experiment_id


def _same_origin(run: Run, tags: dict[str, str]) -> bool:
    return all(run.data.tags.get(name) == tags[name] for name in ORIGIN)


def log_pipeline(pipeline: Pipeline, dataset: Dataset, types: list[str], tags: dict[str, str]) -> str:
    """Store the pipeline as skops with its signature in the active run; return the id of the logged model."""
    info = mlflow.sklearn.log_model(
        pipeline,
        name="model",
        serialization_format="skops",
        skops_trusted_types=types,
        signature=signature(pipeline, dataset),
        input_example=dataset.test.rows.head(EXAMPLE_ROWS),
        # Named, not inferred: inference loads the model in a second process, which takes seconds.
        pip_requirements=[f"{name}=={version(name)}" for name in SERVING_LIBRARIES],
        tags=tags,
    )
    return info.model_id


def signature(pipeline: Pipeline, dataset: Dataset) -> ModelSignature:
    """Names and types of the columns; one that was ever empty, in training or test, is optional."""
    rows = pd.concat([dataset.train.rows, dataset.test.rows])
    labels = pd.Series(pipeline.predict(dataset.test.rows), name=dataset.schema.target)
    return infer_signature(rows, labels)


def libraries() -> dict[str, str]:
    """The versions that a server needs to load the model."""
    return {"python": platform.python_version(), **{name: version(name) for name in SERVING_LIBRARIES[:3]}}
