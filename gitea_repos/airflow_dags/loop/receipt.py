"""The receipt: one document in the MLflow run that says what the loop did, with ids instead of links."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from loop.mlflow import Version
from loop.run import LOOP, Run

RECEIPT = "receipt.json"
SOURCES = ("code_commit", "data_commit", "dag_commit", "data_version", "image", "build")


@dataclass(frozen=True)
class Stage:
    """How one task ended; `started` is ISO 8601, `seconds` its duration."""

    name: str
    state: str
    started: str | None = None
    seconds: float | None = None
    detail: str = ""


def receipt_name(run: Run) -> str:
    """Where the receipt is kept: a later promotion by hand does not overwrite the first receipt."""
    return RECEIPT if run.dag_id == LOOP else f"promotions/{run.run_id}.json"


def receipt(run: Run, version: Version, metrics: dict[str, float], stages: list[Stage]) -> dict[str, Any]:
    """The document of one run that ended with `version` served and verified."""
    return {
        "run_id": run.run_id,
        "dag_id": run.dag_id,
        "reason": run.reason,
        "state": "passed",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **{key: version.tags.get(key, "") for key in SOURCES},
        "model": {"name": version.name, "version": version.number},
        "mlflow_run_id": version.run_id,
        "metrics": metrics,
        "stages": [asdict(stage) for stage in stages],
    }
