"""`verify`: live predictions agree with the registered model, and the metrics show it."""

from datetime import UTC, datetime
from typing import Any

from loop import wait
from loop.errors import Failure, Unreachable
from loop.gate import EVIDENCE
from loop.mlflow import MLflow
from loop.prediction import INFO, PredictionAPI
from loop.receipt import RECEIPT, Stage, receipt, receipt_name
from loop.repeat import ENDED
from loop.rollback import VERIFIED, undone_on_failure
from loop.run import Outcome, Run, plural
from loop.serve import look

VERIFICATION = "verification.json"


def verify(run: Run, promote: dict[str, Any], stages: list[Stage]) -> Outcome:
    """Check the served model and store the receipt in its MLflow run; else the old champion returns.

    A server that is away meanwhile is waited for, as long as `serve` waits.
    """
    mlflow, api = MLflow(run.settings), PredictionAPI(run.settings)
    started, waits = datetime.now(UTC), run.limits.waits
    with undone_on_failure(mlflow, promote["name"], promote["version"]):
        rows = wait.patiently(lambda: check(run, mlflow, api, promote), waits.served, waits.every)
        detail = f"{plural(rows, 'live prediction')} equal the registered model's"
        told = [*stages, own_stage(started, detail)]
        wait.patiently(lambda: keep(run, mlflow, promote, told), waits.served, waits.every)
    return Outcome("passed", detail, url=f"{run.settings.api_web_url}/model")


def check(run: Run, mlflow: MLflow, api: PredictionAPI, promote: dict[str, Any]) -> int:
    """Look at predictions and metrics; gives the number of rows predicted. Raises Failure.

    An API that has just started again may know the model only after a while: Unreachable until then.
    """
    name, version = promote["name"], promote["version"]
    if not look(api, mlflow, promote):
        raise Unreachable(f"the API does not answer with {name} version {version} any more")
    rows = check_predictions(mlflow, api, promote)
    check_metrics(run, api, name, version)
    return rows


def keep(run: Run, mlflow: MLflow, promote: dict[str, Any], stages: list[Stage]) -> None:
    """Store the receipt and mark the version as verified; may be done again."""
    keep_receipt(run, mlflow, promote, stages)
    mlflow.set_version_tag(mlflow.version(promote["name"], promote["version"]), VERIFIED, run.key)


def own_stage(started: datetime, detail: str) -> Stage:
    """How `verify` itself ends; the receipt is written before Airflow could tell."""
    seconds = round((datetime.now(UTC) - started).total_seconds(), 2)
    return Stage("verify", "passed", started.isoformat(), seconds, detail)


def keep_receipt(run: Run, mlflow: MLflow, promote: dict[str, Any], stages: list[Stage]) -> None:
    """Store the receipt in the model's MLflow run, and mark a run of the whole loop as passed."""
    mlflow_run = promote["mlflow_run_id"]
    metrics = (mlflow.read(mlflow_run, EVIDENCE) or {}).get("metrics") or {}
    version = mlflow.version(promote["name"], promote["version"])
    name = receipt_name(run)
    mlflow.write(mlflow_run, name, receipt(run, version, metrics, stages))
    if name == RECEIPT:
        mlflow.set_run_tag(mlflow_run, ENDED, "passed")


def check_predictions(mlflow: MLflow, api: PredictionAPI, promote: dict[str, Any]) -> int:
    """Predict the rows kept with the model and compare the labels; gives the number of rows."""
    name, version = promote["name"], promote["version"]
    kept = mlflow.read(promote["mlflow_run_id"], VERIFICATION) or {}
    instances, wanted = kept.get("instances") or [], kept.get("predictions") or []
    if not instances or len(instances) != len(wanted):
        raise Failure(f"the MLflow run {promote['mlflow_run_id']} has no usable {VERIFICATION}: train again")
    labels, seen_name, seen_version = api.predict(instances)
    if (seen_name, seen_version) != (name, version):
        raise Failure(
            f"the API answered with {seen_name} version {seen_version}, not {name} version {version}"
        )
    wrong = [row for row, pair in enumerate(zip(labels, wanted, strict=False)) if pair[0] != pair[1]]
    if wrong or len(labels) != len(wanted):
        seen = (
            f"row {wrong[0]} is {labels[wrong[0]]!r}, not {wanted[wrong[0]]!r}"
            if wrong
            else "rows are missing"
        )
        raise Failure(
            f"{len(wrong)} of {len(wanted)} live predictions differ from the registered model's: {seen}"
        )
    return len(labels)


def check_metrics(run: Run, api: PredictionAPI, name: str, version: str) -> None:
    """Wait until the API's metrics name the version."""
    waits = run.limits.waits
    if not wait.until(lambda: api.counts(name, version), waits.verified, waits.every):
        raise Failure(f"/metrics of the API does not show {INFO} of {name} version {version}")
