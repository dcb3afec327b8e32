"""`register`: a version in MLflow's registry, with the tags that say where it comes from."""

from typing import Any

from loop.mlflow import MLflow
from loop.repeat import identity
from loop.run import Outcome, Run

CANDIDATE, CHALLENGER, CHAMPION = "candidate", "challenger", "champion"


def register(run: Run, plan: dict[str, Any], data: dict[str, Any], train: dict[str, Any]) -> Outcome:
    """Register the trained model, alias `candidate`; the same MLflow run always gives the same version."""
    mlflow = MLflow(run.settings)
    tags = {**identity(plan, data), "loop_run_id": run.run_id, "build": plan["build"]}
    name = train["model_name"]
    version = mlflow.register(name, train["mlflow_run_id"], train["model_id"], tags)
    mlflow.set_alias(name, CANDIDATE, version.number)
    values = {"name": name, "version": version.number, "code_commit": plan["code_commit"]}
    return Outcome(
        "passed", f"{name} version {version.number}", values, version_url(run, name, version.number)
    )


def version_url(run: Run, name: str, number: str) -> str:
    """The page of a version in MLflow, for people."""
    return f"{run.settings.mlflow_web_url}/#/models/{name}/versions/{number}"
