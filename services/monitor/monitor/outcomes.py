"""How a run ended, by which rule it was rejected and how long its stages took: pure functions.

Every label made here comes from a closed set, whatever the texts of a run say.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.airflow import LOOP, PROMOTION

SERVED, REJECTED, FAILED, WAITING, SUPERSEDED, STOPPED = OUTCOMES = (
    "served", "rejected", "failed", "waiting", "superseded", "stopped",
)  # fmt: skip
TASKS = {
    LOOP: ("plan", "data", "train", "gate", "register", "tag", "promote", "serve", "verify"),
    PROMOTION: ("promote", "serve", "verify"),
}
STAGES = ("ci", "data", "train", "gate", "register", "tag", "promote", "serve", "verify")
REASONS = {LOOP: ("push", "data", "schedule", "drift", "manual"), PROMOTION: ("rollback", "promote")}
# How `gate` of airflow_dags words what it finds; a static test lets it say each of them.
RULES = {
    "least_metrics": re.compile(r"\w is below [\d.]+|which slo\.yaml wants"),
    "least_recall": re.compile(r"has collapsed|names no recall"),
    "worse_accuracy": re.compile(r"is worse than|cannot be compared"),
    "most_recall_lost": re.compile(r"recall (fell to|is gone)"),
    "library": re.compile(r"trained with .+, the API serves"),
    "type": re.compile(r"the API does not load the type"),
}
COLLAPSED = re.compile(r"has collapsed: recall [\d.]+ is below [\d.]+")  # one rule, not two
OTHER = "other"

Row = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """The task that decided how a run ended, and what it said of itself."""

    task: str = ""
    state: str = ""
    detail: str = ""


def decisive(dag: str, tasks: dict[str, Row]) -> tuple[str, str]:
    """The last task that passed and the first that did not; either may be empty."""
    passed = ""
    for name in TASKS[dag]:
        if (tasks.get(name) or {}).get("state") != "success":
            return passed, name
        passed = name
    return passed, ""


def outcome(run: Row, before: Said, first: Said) -> str:
    """One word for an ended run; `before` is the last task that passed, `first` the first that did not."""
    if run["state"] == "failed":
        return FAILED
    if not first.task:
        return SERVED
    if before.state in (REJECTED, WAITING):
        return before.state
    promoting = first.task == "promote" and first.state == "skipped"
    return SUPERSEDED if promoting and conf(run).get("promote") is not False else STOPPED


def reason(run: Row) -> str:
    """Why a run was started; a promotion by hand is `rollback` or `promote`."""
    known, asked = REASONS[run["dag_id"]], conf(run).get("reason")
    if run["dag_id"] == PROMOTION:
        return asked if asked == "rollback" else "promote"
    first = str(run["dag_run_id"]).split("-")[0]
    return next((word for word in (asked, first) if word in known), "manual")


def conf(run: Row) -> dict[str, Any]:
    """What a run was asked for."""
    return run.get("conf") or {}


def rules(detail: str) -> list[str]:
    """The rules of the gate that a rejection names, each once; `other` where it names none."""
    collapsed = [*COLLAPSED.finditer(detail)]
    rest = COLLAPSED.sub("", detail)
    found = [name for name, pattern in RULES.items() if pattern.search(rest)]
    if collapsed and "least_recall" not in found:
        found.append("least_recall")
    return found or [OTHER]


def stage_seconds(dag: str, tasks: dict[str, Row]) -> dict[str, float]:
    """How long each stage that passed took; `plan` is part of `data`."""
    found = {}
    for name in TASKS[dag]:
        task = tasks.get(name) or {}
        began = (tasks.get("plan") or task) if name == "data" else task
        if name != "plan" and task.get("state") == "success" and began.get("start_date") and task["end_date"]:
            # A task that was cleared alone ended before its stage began.
            found[name] = max(0.0, seconds(task["end_date"]) - seconds(began["start_date"]))
    return found


def seconds(moment: str) -> float:
    """A moment in ISO 8601 as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()
