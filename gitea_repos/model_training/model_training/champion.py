"""The model in service, judged on the same rows as its challenger."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, list_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from sklearn.pipeline import Pipeline

from model_training.dataset import Dataset
from model_training.evaluation import evaluate
from model_training.report import first_line
from model_training.trust import load_pipeline

ALIAS = "champion"
# What MLflow answers where something is not there; anything else means that MLflow itself failed.
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")


class _UnusableError(Exception):
    """The champion cannot be judged; the message says why."""


def judge_champion(client: MlflowClient, name: str, dataset: Dataset) -> dict[str, Any] | None:
    """The champion's figures on the test rows; without figures but with the reason if it cannot be judged."""
    champion = _unless_absent(client.get_model_version_by_alias, name, ALIAS)
    if champion is None:
        return None
    report = {"version": str(champion.version), "same_schema": False, "metrics": None, "per_class": None}
    if _schema_of(client, champion) != dataset.schema.fingerprint:
        return {**report, "detail": f"Champion v{champion.version} was trained for another schema."}
    report["same_schema"] = True
    try:
        return {**report, **_figures(_load(client, champion), dataset, champion.version)}
    except _UnusableError as error:
        return {**report, "detail": f"Champion v{champion.version} cannot be judged: {error}"}


def _figures(pipeline: Pipeline, dataset: Dataset, version: str) -> dict[str, Any]:
    try:
        result = evaluate(pipeline, dataset.test)
    except Exception as error:  # a foreign pipeline fails in its own ways
        raise _UnusableError(f"it fails on the test rows ({first_line(error)}).") from error
    detail = f"Champion v{version} has accuracy {result.metrics['accuracy']:.3f} on the same test rows."
    return {"metrics": result.metrics, "per_class": result.per_class, "detail": detail}


def _schema_of(client: MlflowClient, champion: ModelVersion) -> str | None:
    run = _unless_absent(client.get_run, champion.run_id) if champion.run_id else None
    return run.data.tags.get("schema") if run else None


def _load(client: MlflowClient, champion: ModelVersion) -> Pipeline:
    source = client.get_model_version_download_uri(champion.name, champion.version)
    # Listed first: a download of what is not there looks like a server out of order.
    if not _unless_absent(list_artifacts, artifact_uri=source):
        raise _UnusableError("its files are gone from the artifact store.")
    with TemporaryDirectory() as scratch:
        return _load_file(Path(download_artifacts(artifact_uri=source, dst_path=scratch)))


def _load_file(folder: Path) -> Pipeline:
    try:
        flavor = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"]["sklearn"]
    except (OSError, KeyError, yaml.YAMLError) as error:
        raise _UnusableError("it is not stored as a scikit-learn model.") from error
    if flavor.get("serialization_format") != "skops":
        raise _UnusableError(f"it is stored as {flavor.get('serialization_format')}, not as skops.")
    try:
        return load_pipeline(folder / flavor["pickled_model"])
    except Exception as error:  # a damaged file fails in its own ways, one of foreign types as skops says
        raise _UnusableError(f"its file cannot be loaded ({first_line(error)}).") from error


def _unless_absent(call, *args: Any, **kwargs: Any) -> Any:
    try:
        return call(*args, **kwargs)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None
