"""Runs that a person starts: `manual-<n>`, numbered over both DAGs, so that an id names one run."""

import re
from itertools import count
from typing import Any

from sandbox import console, trace
from sandbox.completion import PROMOTION
from sandbox.context import Context
from sandbox.receipt import DAG, Receipt

PREFIX = "manual-"  # what a pipeline of CI starts by hand has a time in place of the number
NUMBERED = re.compile(rf"{PREFIX}(\d{{1,9}})")


def next_run_id(context: Context) -> str:
    """The id that the next run gets."""
    return f"{PREFIX}{_newest_number(context) + 1}"


def start(context: Context, dag: str, conf: dict[str, Any]) -> str:
    """Start a run with the next free number and give its id. Raises ApiError."""
    numbers = count(_newest_number(context) + 1)
    return next(
        run_id for number in numbers if context.airflow.start(dag, run_id := f"{PREFIX}{number}", conf)
    )


def start_and_follow(context: Context, dag: str, conf: dict[str, Any], seconds: float) -> Receipt:
    """Start a run and follow it for `seconds` at most. Raises ApiError, LoopError."""
    run_id = start(context, dag, conf)
    console.done(f"started {run_id} of {dag}; it goes on without this command: make trace REF={run_id}")
    return trace.follow(context, run_id, seconds)


def _newest_number(context: Context) -> int:
    query = {"run_id_prefix_pattern": PREFIX, "order_by": "-run_after"}
    runs = [run for dag in (DAG, PROMOTION) for run in context.airflow.runs(dag, **query)]
    found = (NUMBERED.fullmatch(run["dag_run_id"]) for run in runs)
    return max((int(match[1]) for match in found if match), default=0)
