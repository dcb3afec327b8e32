"""The promotion by hand that a waiting loop was completed by."""

from typing import Any

from sandbox.clients.airflow import Airflow

PROMOTION = "promote_model"


def promotion_of(airflow: Airflow, dag: str, run: dict[str, Any]) -> dict[str, Any] | None:
    """The first run that promoted what this run of `dag` registered, else the newest that tried, or None.

    A later rollback to the same version is another story.
    """
    registered = airflow.said(dag, run["dag_run_id"], "register", "return_value") or {}
    later = airflow.runs(PROMOTION, run_after_gte=run["run_after"], order_by="run_after")
    wanted = (registered.get("name"), registered.get("version"))
    ours = [each for each in later if _promotes(each) == wanted]
    return next((each for each in ours if each["state"] == "success"), ours[-1] if ours else None)


def _promotes(run: dict[str, Any]) -> tuple[str | None, str | None]:
    conf = run.get("conf") or {}
    return conf.get("name"), conf.get("version")
