"""One judgement: rows of the API against rows of training, recorded in MLflow."""

from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Run

from model_training.dataset import Dataset, read_dataset
from model_training.download import start_download
from model_training.drift.page import draw
from model_training.drift.scores import LEAST_DIFFERENT, Column, count_different, judge_columns
from model_training.drift.served import Api, Served
from model_training.settings import DriftSettings
from model_training.tracking import Experiment, mlflow_errors

EXPERIMENT = "drift"
NEWEST_ROW = "newest_row"  # tag: until when rows were looked at; set when that is done


def judge(settings: DriftSettings) -> dict[str, Any]:
    """Judge the newest requests of the served version. Too few of them are no judgement, and no failure.

    Raises TrainingError or UnavailableError.
    """
    api = Api(settings)
    served = api.served()
    if served is None:
        return _unjudged(None, 0, "no model is served")
    rows, least = api.requests_of(served, settings.drift_window_hours), settings.drift_least_rows
    found = f"{len(rows)} rows of {_named(served)} in {settings.drift_window_hours:g} h"
    if len(rows) < least:
        return _unjudged(served, len(rows), f"{found}, and {least} are asked for")
    with start_download(served.data_version) as download:
        dataset = read_dataset(download.wait())
    inputs = [row["inputs"] for row in rows]
    if too_alike(inputs, dataset.train.rows):
        why = f"{found}, but only {count_different(inputs)} that differ"
        return _put_off(settings, served, rows, f"{why}, and {LEAST_DIFFERENT} are asked for")
    columns = judge_columns(dataset.schema, dataset.train.rows, inputs)
    if not columns:
        return _put_off(settings, served, rows, f"{found}, but every column is masked (MASKED_COLUMNS)")
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
    with experiment.run(_tags(settings, served)) as run:
        result = summary(settings, served, len(rows), columns) | {"mlflow_run_id": run.info.run_id}
        _log(experiment, run, settings, result)
        masked = [name for name in dataset.schema.columns if name not in columns]
        page = draw(result, columns, masked, len(dataset.train.rows), settings, served.data_version)
        mlflow.log_text(page, "drift.html")
        mlflow.log_dict(result, "drift.json")
        mlflow.set_tag(NEWEST_ROW, rows[0]["at"])
    return result


def _put_off(settings: DriftSettings, served: Served, rows: list[dict[str, Any]], why: str) -> dict[str, Any]:
    """No judgement, and a run without scores: it remembers until when rows were looked at."""
    with mlflow_errors(settings.mlflow_tracking_uri):
        tags = _tags(settings, served) | {NEWEST_ROW: rows[0]["at"]}
        with Experiment(EXPERIMENT, settings.loop_run_id).run(tags):
            mlflow.set_tag("detail", why)
    return _unjudged(served, len(rows), why)


def _tags(settings: DriftSettings, served: Served) -> dict[str, str]:
    return {
        "model": served.name,
        "version": served.version,
        "data_version": served.data_version,
        "loop_run_id": settings.loop_run_id,
    }


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
        shown = {"psi": column["psi"] if column["scored"] else None, "ks": column["ks"]}
        metrics |= {
            f"{test}.{_metric_name(name)}": value for test, value in shown.items() if value is not None
        }
    params = {"psi": settings.drift_psi, "window_hours": settings.drift_window_hours}
    experiment.log_figures(run, params, metrics)


def _metric_name(column: str) -> str:
    """MLflow knows letters, digits and these signs; a slash would be a folder."""
    return "".join(sign if sign.isalnum() or sign in "_-. " else "_" for sign in column)[:200]


def _unjudged(served: Served | None, rows: int, why: str) -> dict[str, Any]:
    return {
        "state": "passed",
        "detail": f"No judgement: {why}.",
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
