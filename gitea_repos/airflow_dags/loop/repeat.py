"""The one case in which training is left out: a push of what has already been through the loop."""

from loop.mlflow import MLflow
from loop.run import Run

ENDED = "loop_state"  # the tag of an MLflow run that says how its loop ended: passed, rejected or failed


def identity(plan: dict[str, str], data: dict[str, str]) -> dict[str, str]:
    """The tags that make two trainings the same training."""
    return {
        "code_commit": plan["code_commit"],
        "data_commit": plan["data_commit"],
        "dag_commit": plan["dag_commit"],
        "data_version": data["data_version"],
        "image": plan["code_image"],
    }


def repeated(run: Run, plan: dict[str, str], data: dict[str, str]) -> str:
    """Why there is nothing to train, or an empty string.

    Only a push can be a repetition; schedule, drift, data and manual runs always train.
    """
    if plan["reason"] != "push":
        return ""
    for tags in MLflow(run.settings).find_runs(identity(plan, data)):
        if (ended := tags.get(ENDED)) in ("passed", "rejected") and tags.get("loop_run_id") != run.run_id:
            return f"nothing to do: the same code, data, image and DAGs {ended} in {tags.get('loop_run_id')}"
    return ""
