"""`serve`: every worker of the API answers with the new version, or the old champion returns."""

from datetime import datetime
from typing import Any

from loop import wait
from loop.errors import Failure, Unreachable
from loop.mlflow import MLflow
from loop.prediction import PredictionAPI, Served
from loop.register import CHAMPION
from loop.rollback import undone_on_failure
from loop.run import Outcome, Run, plural


def serve(run: Run, promote: dict[str, Any]) -> Outcome:
    """Wait until all workers have the version; a refusal of the API fails at once with the API's reason."""
    mlflow, api = MLflow(run.settings), PredictionAPI(run.settings)
    name, version, waits = promote["name"], promote["version"], run.limits.waits
    with undone_on_failure(mlflow, name, version):
        served = wait.until(lambda: look(api, mlflow, promote), waits.served, waits.every)
        if not served:
            raise Failure(_late(api, name, version, waits.served))
    detail = f"{name} version {version} on {plural(len(served.workers), 'worker')}"
    return Outcome("passed", detail, url=f"{run.settings.api_web_url}/model")


def look(api: PredictionAPI, mlflow: MLflow, promote: dict[str, Any]) -> Served | None:
    """What the API says when all workers have the version; None while they do not or a server is away."""
    name, version = promote["name"], promote["version"]
    try:
        served = api.served()
        if served.is_all(name, version):
            return served
        champion = mlflow.aliased(name, CHAMPION)
    except Unreachable:
        return None
    if served.pin:
        raise Failure(f"{pinned(served)}, so version {version} cannot be served")
    if served.refused == (name, version) and _is_new(served, promote["promoted_at"]):
        raise Failure(f"the API refused {name} version {version}: {served.refused_reason}")
    if champion and champion.number != version:
        raise Failure(f"version {champion.number} became champion while the API loaded version {version}")
    return None


def pinned(served: Served) -> str:
    """Why the API follows no champion, and what to do."""
    return f"the API serves what MODEL_PIN={served.pin} names (empty it in .env, then: make up)"


def _is_new(served: Served, promoted_at: str) -> bool:
    """Whether the refusal is of this promotion; the API may have refused before this task has begun."""
    at, promoted = served.refused_at, datetime.fromisoformat(promoted_at)
    # The API says milliseconds, which cuts its time short by less than one.
    return not at or datetime.fromisoformat(at) >= promoted.replace(
        microsecond=promoted.microsecond // 1000 * 1000
    )


def _late(api: PredictionAPI, name: str, version: str, seconds: float) -> str:
    try:
        seen = ", ".join(f"{name} {version}" for name, version in api.served().workers) or "no model"
    except Unreachable as error:
        seen = str(error)
    return f"{name} version {version} was not served after {seconds:.0f} seconds; last seen: {seen}"
