"""What slo.yaml says, in Airflow's words; and what is left to do when a run fails for good."""

import logging
from datetime import datetime, timedelta
from typing import Any

from dags.stage import known, read_run
from loop.announce import announce
from loop.errors import LoopError
from loop.limits import Limits
from loop.mlflow import MLflow
from loop.rollback import recover
from loop.settings import Settings

log = logging.getLogger(__name__)

WHEN_LOST = 1  # retries of a task whose every end but its loss is final
SINCE = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


def dag_options(limits: Limits) -> dict[str, Any]:
    """What both DAGs share: one run at a time, the rest queued, and an end after the longest duration."""
    return {
        "schedule": None,
        "start_date": SINCE,
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(seconds=limits.longest_seconds["run"]),
        "on_failure_callback": put_right,
    }


def task_options(limits: Limits, task_id: str, most_retries: int | None = None) -> dict[str, Any]:
    """A task's longest duration, and its retries with back-off, which are for infrastructure alone."""
    retries = limits.retries
    times = retries.times if most_retries is None else min(retries.times, most_retries)
    return {
        "task_id": task_id,
        "execution_timeout": timedelta(seconds=limits.longest_seconds[task_id]),
        "retries": times,
        "retry_delay": timedelta(seconds=retries.first_wait_seconds),
        "retry_exponential_backoff": retries.factor,
        "max_retry_delay": timedelta(seconds=retries.longest_wait_seconds),
    }


def put_right(context: dict[str, Any]) -> None:
    """After a failed run: the old champion back, should the task have been killed before it did that itself.

    Airflow calls it in the DAG processor for every kind of failure, a lost task and a timed out run included.
    """
    run_id, dag_run = context["run_id"], context["dag_run"]
    try:
        key = f"{dag_run.dag_id}/{run_id}"
        if said := recover(MLflow(Settings.from_env()), key):
            log.warning("Run %s failed: %s", run_id, said)
    except LoopError as error:
        log.error("Run %s failed and what it promoted could not be taken back: %s", run_id, error)
    ti = context.get("ti")
    outcome = (ti and ti.xcom_pull(task_ids=ti.task_id, key="outcome")) or {}
    if ti and outcome.get("state") != "failed":
        said = f"Airflow lost the task before it could say why ({context.get('reason')})"
        announce(read_run(context), known(ti), ti.task_id, "failed", said)
