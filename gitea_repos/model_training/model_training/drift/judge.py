"""One judgement: rows of the API against rows of training, recorded in MLflow."""

from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Run

from model_training.dataset import Dataset, read_dataset
from model_training.download import start_download
from model_training.drift.page import draw
from model_training.drift.scores import Column, count_different, judge_columns
from model_training.drift.served import Api, Served
from model_training.errors import TrainingError
from model_training.settings import DriftSettings
from model_training.tracking import Experiment, mlflow_errors

EXPERIMENT = "drift"
LEAST_DIFFERENT = 20


def judge(settings: DriftSettings) -> dict[str, Any]:
    """Judge the newest requests of the served version. Too few of them are no judgement, and no failure.

    Raises TrainingError or UnavailableError.
    """
    api = Api(settings)
    served = api.served()
    if served is None:
        return _unjudged(settings, None, 0, "No model is served")
    rows = api.requests_of(served, settings.drift_window_hours)
    if len(rows) < settings.drift_least_rows:
        return _unjudged(settings, served, len(rows), f"{len(rows)} rows of {_named(served)}")
    with start_download(served.data_version) as download:
        dataset = read_dataset(download.wait())
    inputs = [row["inputs"] for row in rows]
    if too_alike(inputs, dataset.train.rows):
        why = f"{len(rows)} rows of {_named(served)}, but only {count_different(inputs)} that differ"
        return _unjudged(settings, served, len(rows), why)
    columns = judge_columns(dataset.schema, dataset.train.rows, inputs)
    if not columns:
        raise TrainingError(
            f"Every column of {_named(served)} is masked in the prediction log (MASKED_COLUMNS)."
        )
    with mlflow_errors(settings.mlflow_tracking_uri):
        return _record(settings, served, dataset, rows, columns)


def too_alike(inputs: list[dict[str, Any]], training: pd.DataFrame) -> bool:
    """Whether the same is asked again and again, as a health check does, where training knows more."""
    return count_different(inputs) < min(LEAST_DIFFERENT, len(training.drop_duplicates()) // 2)


def _record(
    settings: DriftSettings,
    served: Served,
    dataset: Dataset,
    rows: list[dict[str, Any]],
    columns: dict[str, Column],
) -> dict[str, Any]:
    """Store one run with scores and report; the task's result."""
    experiment = Experiment(EXPERIMENT, settings.loop_run_id)
    experiment.end_abandoned_runs()
    tags = {"model": served.name, "version": served.version, "loop_run_id": settings.loop_run_id}
    tags |= {"data_version": served.data_version, "newest_row": rows[0]["at"]}
    with experiment.run(tags) as run:
        result = summary(settings, served, len(rows), columns) | {"mlflow_run_id": run.info.run_id}
        _log(experiment, run, settings, result)
        masked = [name for name in dataset.schema.columns if name not in columns]
        page = draw(result, columns, masked, len(dataset.train.rows), settings, served.data_version)
        mlflow.log_text(page, "drift.html")
        mlflow.log_dict(result, "drift.json")
    return result


def summary(settings: DriftSettings, served: Served, rows: int, columns: dict[str, Column]) -> dict[str, Any]:
    """The result of a judgement, without its run."""
    scored = {name: column.psi for name, column in columns.items() if column.scored}
    worst = max(scored, key=lambda name: scored[name], default="")
    score = scored.get(worst, 0.0)
    drifted = score > settings.drift_psi
    return {
        "state": "passed",
        "detail": _sentence(settings, served, rows, worst, score),
        "drifted": drifted,
        "score": score,
        "rows": rows,
        "columns": {name: column.as_json() for name, column in columns.items()},
        "model": served.name,
        "version": served.version,
    }


def _sentence(settings: DriftSettings, served: Served, rows: int, worst: str, score: float) -> str:
    asked = f"{rows} rows asked of {_named(served)} in {settings.drift_window_hours:g} h"
    if not worst:
        return f"{asked} have no column with a score: texts are not judged."
    verdict = "drifted" if score > settings.drift_psi else "look like its training"
    against = "above" if score > settings.drift_psi else "not above"
    return f"{asked} {verdict}: PSI {score:.3f} of {worst} is {against} {settings.drift_psi:g}."


def _log(experiment: Experiment, run: Run, settings: DriftSettings, result: dict[str, Any]) -> None:
    metrics = {"score": result["score"], "rows": float(result["rows"])}
    for name, column in result["columns"].items():
        metrics |= {
            f"{test}.{_metric_name(name)}": column[test] for test in ("psi", "ks") if column[test] is not None
        }
    params = {"psi": settings.drift_psi, "window_hours": settings.drift_window_hours}
    experiment.log_figures(run, params, metrics)


def _metric_name(column: str) -> str:
    """MLflow knows letters, digits and these signs in the name of a metric."""
    return "".join(sign if sign.isalnum() or sign in "_-. /:" else "_" for sign in column)[:200]


def _unjudged(settings: DriftSettings, served: Served | None, rows: int, why: str) -> dict[str, Any]:
    least = settings.drift_least_rows
    detail = f"No judgement: {why} in {settings.drift_window_hours:g} h, and {least} are asked for."
    return {
        "state": "passed",
        "detail": detail if served else f"No judgement: {why}.",
        "drifted": False,
        "score": None,
        "rows": rows,
        "columns": {},
        "model": served.name if served else None,
        "version": served.version if served else None,
        "mlflow_run_id": None,
    }


def _named(served: Served) -> str:
    return f"{served.name} version {served.version}"
