"""One training: fit, judge, record; the heavy libraries are imported here."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from mlflow.entities import Run
from sklearn.pipeline import Pipeline

from model_training.champion import judge_champion
from model_training.dataset import Dataset, read_dataset
from model_training.errors import TrainingError
from model_training.evaluation import Evaluation, evaluate, learning_curve, verification
from model_training.params import Params
from model_training.pipelines import find_recipe, fit_pipeline
from model_training.plots import draw_confusion_matrix, draw_learning_curve
from model_training.search import find_params
from model_training.settings import Settings
from model_training.tracking import RESULT_FILE, Experiment, libraries, log_pipeline, mlflow_errors
from model_training.trust import check_types


def train(settings: Settings, params: Params, data: Callable[[], Path]) -> dict[str, Any]:
    """Train once per loop run and return the result; one that finished on the same input is not repeated.

    `data` waits for the folder of the data. Raises TrainingError or UnavailableError.
    """
    find_recipe(params)
    with mlflow_errors(settings.mlflow_tracking_uri):
        experiment = Experiment(params.model, settings.loop_run_id)
        if earlier := experiment.finished_result(settings.tags):
            return earlier
        experiment.end_abandoned_runs()
    dataset = read_dataset(data())
    check_name(params, dataset)
    tags = {**settings.tags, "schema": dataset.schema.fingerprint}
    with (
        mlflow_errors(settings.mlflow_tracking_uri),
        experiment.run(tags) as run,
    ):
        return _train_in_run(experiment, run, params, dataset, tags)


def check_name(params: Params, dataset: Dataset) -> None:
    """Raise TrainingError if params.yaml names one model and the data belongs to another."""
    if params.model != dataset.schema.name:
        raise TrainingError(
            f"params.yaml trains the model {params.model!r}, but the data is {dataset.schema.name!r}; "
            f"set model: {dataset.schema.name} in params.yaml, or bring the data of {params.model}."
        )


def _train_in_run(
    experiment: Experiment, run: Run, params: Params, dataset: Dataset, tags: dict[str, str]
) -> dict[str, Any]:
    found = find_params(params, dataset, partial(experiment.log_trial, run))
    params = found.params
    pipeline = fit_pipeline(params, dataset.schema, dataset.train)
    types = check_types(pipeline)
    judged = evaluate(pipeline, dataset.test)
    metrics = {**judged.metrics, **_train_metrics(pipeline, dataset)}
    if found.macro_f1 is not None:
        metrics["search_macro_f1"] = found.macro_f1
    experiment.log_figures(run, params.flat(), metrics)
    champion = judge_champion(experiment.client, params.model, dataset)
    result = {
        "state": "passed",
        "detail": _sentence(params, dataset, judged, champion),
        "mlflow_run_id": run.info.run_id,
        "model_id": log_pipeline(pipeline, dataset, types, tags),
        "model_name": params.model,
        "metrics": metrics,
        "per_class": judged.per_class,
        "champion": champion,
        "types": types,
        "libraries": libraries(),
    }
    _log_files(pipeline, params, dataset, judged, result)
    return result


def _train_metrics(pipeline: Pipeline, dataset: Dataset) -> dict[str, float]:
    return {f"train_{name}": value for name, value in evaluate(pipeline, dataset.train).metrics.items()}


def _log_files(
    pipeline: Pipeline, params: Params, dataset: Dataset, judged: Evaluation, result: dict[str, Any]
) -> None:
    """Pictures and reports; the result comes last, for a run without it is not finished."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw_confusion_matrix(judged, folder / "confusion_matrix.png")
        draw_learning_curve(learning_curve(pipeline, dataset, params.seed), folder / "learning_curve.png")
        _write(folder / "verification.json", verification(pipeline, dataset.test))
        _write(folder / "per_class.json", judged.per_class)
        mlflow.log_artifacts(scratch)
    mlflow.log_dict(result, RESULT_FILE)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def _sentence(params: Params, dataset: Dataset, judged: Evaluation, champion: dict[str, Any] | None) -> str:
    accuracy, rows = judged.metrics["accuracy"], len(dataset.test.labels)
    rival = champion["detail"] if champion else "There is no champion yet."
    return f"{params.model} ({params.pipeline}) has accuracy {accuracy:.3f} on {rows} test rows. {rival}"
