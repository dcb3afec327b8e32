"""`promote`: the alias `champion`, which is what the prediction API follows."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from loop import rollback
from loop.errors import Failure, Refused, Unreachable
from loop.gate import judge_again
from loop.git import Clone
from loop.mlflow import MLflow, Version
from loop.plan import CODE
from loop.prediction import PredictionAPI
from loop.register import CHALLENGER, CHAMPION, version_url
from loop.run import Outcome, Run
from loop.serve import pinned


def promote(
    run: Run, plan: dict[str, Any], data: dict[str, Any], train: dict[str, Any], register: dict[str, Any]
) -> Outcome:
    """Make the registered version the champion, unless it has to wait, is superseded or is worse by now."""
    mlflow = MLflow(run.settings)
    name, number = register["name"], register["version"]
    url = version_url(run, name, number)
    if plan["promote"] == "no":
        return Outcome("skipped", f"{name} version {number} is not to be promoted", url=url)
    champion = mlflow.aliased(name, CHAMPION)
    if not plan["insists"] and champion and (why := superseded(run, plan["code_commit"], champion)):
        return Outcome("skipped", why, url=url)
    again = judged_anew(run, train, data["data_version"], champion, number) if champion else None
    if again and again.state != "passed":
        return replace(again, url=url)
    if plan["promote"] == "manual":
        return Outcome("waiting", f"{name} version {number} waits for promote_model", url=url)
    if why := held_by_a_pin(run):
        return Outcome("waiting", f"{name} version {number} waits: {why}", url=url)
    done = crown(run, mlflow, mlflow.version(name, number))
    return replace(done, detail=f"{done.detail}; {again.detail}") if again else done


def promote_by_hand(run: Run) -> Outcome:
    """Make the version of the run's conf the champion: `{"name", "version", "reason"}`."""
    name, number = run.conf.get("name"), run.conf.get("version")
    if not (name and number):
        raise Failure('promote_model needs conf {"name": …, "version": …, "reason": …}')
    mlflow = MLflow(run.settings)
    try:
        version = mlflow.version(str(name), str(number))
    except Refused as refusal:
        raise Failure(f"{name} has no version {number} in MLflow: {refusal}") from refusal
    return crown(run, mlflow, version)


def held_by_a_pin(run: Run) -> str:
    """Why the API would not follow a new champion; empty where it would, or cannot be asked."""
    try:
        served = PredictionAPI(run.settings).served()
    except Unreachable:
        return ""
    return pinned(served) if served.pin else ""


def judged_anew(
    run: Run, train: dict[str, Any], data_version: str, champion: Version, number: str
) -> Outcome | None:
    """The gate's verdict once more where it has not seen the champion, else None."""
    judged = str((train.get("champion") or {}).get("version"))
    if champion.number in (judged, number):
        return None
    return judge_again(run, train, data_version, champion)


def superseded(run: Run, commit: str, champion: Version) -> str:
    """Why a candidate comes too late: its commit is an ancestor of the champion's. Else an empty string."""
    newer = champion.tags.get("code_commit", "")
    with Clone(run.settings.repository(CODE)) as clone:
        older = bool(newer) and clone.is_ancestor(commit, newer)
    return (
        f"superseded by version {champion.number}, trained by the later commit {newer[:12]}" if older else ""
    )


def end_challenge(mlflow: MLflow, version: Version) -> None:
    """Who has won challenges no more: left there, the alias would bring it back beside the next champion."""
    challenger = mlflow.aliased(version.name, CHALLENGER)
    if challenger and challenger.number == version.number:
        mlflow.delete_alias(version.name, CHALLENGER)


def crown(run: Run, mlflow: MLflow, version: Version) -> Outcome:
    """Set the alias and the time of it; what it replaces is written down first."""
    previous = rollback.remember(mlflow, version, run.key)
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    mlflow.set_alias(version.name, CHAMPION, version.number)
    mlflow.set_model_tag(version.name, rollback.AT, now)
    end_challenge(mlflow, version)
    values = {
        "name": version.name,
        "version": version.number,
        "previous": previous,
        "promoted_at": now,
        "mlflow_run_id": version.run_id,
        "code_commit": version.tags.get("code_commit", ""),
    }
    over = "the first champion" if previous is None else f"champion instead of {previous}"
    url = version_url(run, version.name, version.number)
    return Outcome("passed", f"{version.name} version {version.number} is {over}", values, url)
