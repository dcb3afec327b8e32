"""Follows a run of Airflow to its end."""

from __future__ import annotations

import time

from ci.airflow import Airflow
from ci.command_settings import AirflowSettings
from ci.errors import DeliverError
from ci.insist import Say, insist

PAUSE = 2.0  # seconds
ENDED = ("success", "failed")
BAD = ("failed", "rejected")  # states of an outcome


def follow(airflow: Airflow, settings: AirflowSettings, dag: str, run: str, say: Say) -> None:
    """Say each change of state until the run has ended, however long that takes.

    Raises DeliverError with the reason where the run failed or a task rejected its model.
    """
    told: dict[str, str] = {}
    while True:
        states = insist(lambda: look(airflow, dag, run), settings.timeout, say)
        for name, state in states.items():
            if told.get(name) != state:
                say(f"{name}: {state}")
        told = states
        if states[run] in ENDED:
            break
        time.sleep(PAUSE)
    tasks = [name for name in states if name != run]
    reasons = insist(lambda: read_reasons(airflow, dag, run, tasks), settings.timeout, say)
    if states[run] == "failed" or reasons:
        said = "; ".join(reasons) or "no task said why"
        raise DeliverError(f"The run {run} of {dag} did not pass: {said}. See {settings.run_url(dag, run)}")


def look(airflow: Airflow, dag: str, run: str) -> dict[str, str]:
    """The states of the tasks and, last, of the run. Raises NotYet, or DeliverError where the run is gone."""
    found = airflow.run(dag, run)  # before its tasks: with an ended run these are final
    if found is None:
        raise DeliverError(f"The run {run} of {dag} is gone: somebody deleted it.")
    return {**airflow.tasks(dag, run), run: found["state"]}


def read_reasons(airflow: Airflow, dag: str, run: str, tasks: list[str]) -> list[str]:
    """What the tasks that failed or rejected said of it. Raises NotYet or DeliverError."""
    outcomes = {task: airflow.outcome(dag, run, task) for task in tasks}
    return [
        f"{task} {said['state']}: {said.get('detail', '')}"
        for task, said in outcomes.items()
        if said.get("state") in BAD
    ]
