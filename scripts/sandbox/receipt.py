"""The receipt of a loop: every stage with state, start, duration, link and detail.

`ci` is read from commit statuses, the stages from Airflow and from what its tasks said.
"""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sandbox.completion import PROMOTION, promotion_of
from sandbox.context import Context
from sandbox.settings import CODE

DAG = "train_and_serve"
STAGES = ("push", "ci", "data", "train", "gate", "register", "tag", "promote", "serve", "verify")
PROMOTED = ("promote", "serve", "verify")  # the stages of a promotion by hand
ENDED_BY_AIRFLOW = "Airflow ended the run before this stage was done; its log tells whether by a time limit"
NAMED = {"code": "code_commit", "data version": "data_version"}  # of a plan, in a receipt
ENDED = ("failed", "success")  # states of a run of Airflow
FINAL = {"passed", "failed", "rejected", "waiting", "skipped"}
CI_STATES = {
    "success": "passed",
    "failure": "failed",
    "error": "failed",
    "warning": "passed",
    "skipped": "skipped",
}
TASK_STATES = {
    "success": "passed",
    "failed": "failed",
    "upstream_failed": "skipped",
    "skipped": "skipped",
    "removed": "skipped",
    "running": "running",
    "restarting": "running",
    "up_for_retry": "running",
}

Where = tuple[str, str]  # a DAG and the id of one of its runs


@dataclass(frozen=True)
class Stage:
    """One stage; `started` is ISO 8601 in UTC or empty, `seconds` its duration so far or None."""

    name: str
    state: str = "pending"
    started: str = ""
    seconds: float | None = None
    url: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Receipt:
    """A loop as of now. `seconds` counts from the push (or the run's start) to the last stage's end."""

    ref: str
    run_id: str
    git_sha: str
    state: str
    seconds: float | None
    stages: list[Stage] = field(default_factory=list)

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in FINAL

    def as_json(self) -> dict[str, Any]:
        """The document of `sandbox trace -o json`."""
        return asdict(self)


@dataclass(frozen=True)
class Loop:
    """What a REF turned out to be: a pushed commit, a run of `dag`, or both.

    `part_of` is the commit that was built where this one was pushed together with it.
    """

    ref: str
    run_id: str = ""
    repository: str = ""
    commit: str = ""
    statuses: tuple[dict[str, Any], ...] = ()
    dag: str = DAG
    part_of: str = ""


def read_receipt(context: Context, loop: Loop) -> Receipt:
    """Look at statuses and Airflow once. Raises ApiError when a service does not answer."""
    run = context.airflow.run(loop.dag, loop.run_id) if loop.run_id else None
    plan = _planned(context, run) if run and loop.dag == DAG and not loop.commit else {}
    if run and loop.dag == PROMOTION:
        stages = _run_stages(context, PROMOTION, PROMOTED, run)
    elif loop.part_of:
        stages = _inner(loop)
    else:
        stages = _push_and_ci(loop, run or {}) if loop.commit else _by_hand(loop, plan)
        stages += _loop_stages(context, run) if run else [_without_run(s, stages[1]) for s in STAGES[2:]]
    commit = loop.commit or plan.get("code_commit", "")
    return Receipt(loop.ref, loop.run_id, commit, overall_state(stages), _span(stages), stages)


def overall_state(stages: list[Stage]) -> str:
    """One word for the loop: pending or running while it goes on, then what went wrong first, else passed."""
    states = [stage.state for stage in stages]
    if "running" in states or "pending" in states:
        return "running" if set(states) - {"pending"} else "pending"
    return next((word for word in ("failed", "rejected", "waiting", "passed") if word in states), "skipped")


def _inner(loop: Loop) -> list[Stage]:
    """Of a commit that was pushed below another one: only that one went through the loop."""
    push = Stage("push", "skipped", detail=f"{loop.repository} {loop.commit[:12]}")
    ci = Stage("ci", "skipped", detail=f"part of {loop.part_of[:12]}")
    return [push, ci, *(Stage(name, "skipped") for name in STAGES[2:])]


def _planned(context: Context, run: dict[str, Any]) -> dict[str, Any]:
    """The commits and data version that a run settled on; what it was asked for until it has."""
    settled = context.airflow.said(DAG, run["dag_run_id"], "plan", "return_value")
    return settled if isinstance(settled, dict) else run.get("conf") or {}


def _by_hand(loop: Loop, plan: dict[str, Any]) -> list[Stage]:
    """Of a run that no push started: why it was, and of which code and data."""
    detail = f"started by {plan.get('reason') or loop.run_id.split('-')[0]}"
    known = [f"{word} {str(plan[key])[:12]}" for word, key in NAMED.items() if plan.get(key)]
    detail += f": {', '.join(known)}" if known else ""
    return [Stage("push", "skipped", detail=detail), Stage("ci", "skipped")]


def _push_and_ci(loop: Loop, run: dict[str, Any]) -> list[Stage]:
    builds = _builds([row for row in loop.statuses if row["context"] == "ci"])
    if not builds:
        return [Stage("push", "passed", detail="CI has not seen it yet"), Stage("ci", "pending")]
    build = _build_of(builds, run)
    state = _ci_state(build)
    started, last = build[0]["created_at"], build[-1]
    seconds = _seconds(started, last["updated_at"] if state in FINAL else "")
    pushed = f"{loop.repository} {loop.commit[:12]}"
    if build is not builds[-1]:
        again = f"built again since ({_ci_state(builds[-1])}), which starts no second run"
        pushed += f"; {again}" + (f": make run CODE={loop.commit[:12]}" if loop.repository == CODE else "")
    return [
        Stage("push", "passed", _utc(started), 0.0, "", pushed),
        Stage("ci", state, _utc(started), seconds, last["target_url"] or "", last["description"]),
    ]


def _builds(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The statuses of each build of a commit: after a final one, one that is not begins the next build."""
    builds: list[list[dict[str, Any]]] = []
    for row in rows:
        if not builds or (builds[-1][-1]["status"] in CI_STATES and row["status"] not in CI_STATES):
            builds.append([])
        builds[-1].append(row)
    return builds


def _build_of(builds: list[list[dict[str, Any]]], run: dict[str, Any]) -> list[dict[str, Any]]:
    """The build that started a run; the newest where there is none."""
    began = datetime.fromisoformat(run["run_after"]) if run.get("run_after") else None
    before = [build for build in builds if began and datetime.fromisoformat(build[0]["created_at"]) <= began]
    return before[-1] if before else builds[-1]


def _ci_state(build: list[dict[str, Any]]) -> str:
    return CI_STATES.get(build[-1]["status"], "running" if len(build) > 1 else "pending")


def _without_run(name: str, ci: Stage) -> Stage:
    if ci.state == "failed":
        return Stage(name, "skipped", detail="ci failed")
    if ci.state in FINAL:
        return Stage(
            name, "skipped", detail="this push starts no run: it is not of main, or its message says so"
        )
    return Stage(name)


def _loop_stages(context: Context, run: dict[str, Any]) -> list[Stage]:
    """The stages of a run; a promotion that waited goes on in the run that did it."""
    stages = _run_stages(context, DAG, STAGES[2:], run)
    waits = any(stage.name == "promote" and stage.state == "waiting" for stage in stages)
    promotion = promotion_of(context.airflow, DAG, run) if waits else None
    if promotion:
        stages[-len(PROMOTED) :] = _run_stages(context, PROMOTION, PROMOTED, promotion)
    return stages


def _run_stages(context: Context, dag: str, names: tuple[str, ...], run: dict[str, Any]) -> list[Stage]:
    where = (dag, run["dag_run_id"])
    tasks = context.airflow.tasks(*where)
    if run["state"] in ENDED and any(not task["state"] for task in tasks.values()):
        run = context.airflow.run(*where) or run  # a task was cleared between the two looks
    stages = [_task_stage(context, where, name, tasks, run["state"]) for name in names]
    if run["state"] == "failed" and "failed" not in [stage.state for stage in stages]:
        unfinished = next((n for n, stage in enumerate(stages) if stage.state != "passed"), -1)
        stages[unfinished] = replace(stages[unfinished], state="failed", detail=ENDED_BY_AIRFLOW)
    return stages


def _task_stage(
    context: Context, where: Where, name: str, tasks: dict[str, dict[str, Any]], run_state: str
) -> Stage:
    task = tasks.get(name, {})
    plan = tasks.get("plan", {}) if name == "data" else {}
    decisive = plan if plan.get("state") in ("failed", "running", "up_for_retry") else task
    outcome = _outcome(context, where, decisive) if decisive.get("state") else {}
    state = _stage_state(decisive.get("state") or "", outcome.get("state", ""), run_state)
    start = plan.get("start_date") or decisive.get("start_date") or ""
    seconds = _seconds(start, decisive.get("end_date") or "") if decisive.get("start_date") else None
    url = outcome.get("url") or _task_url(context, where, decisive)
    died = state == "failed" and outcome.get("state") == "running"  # what it waited for is not why
    return Stage(name, state, _utc(start), seconds, url, "" if died else outcome.get("detail", ""))


def _stage_state(task_state: str, said: str, run_state: str) -> str:
    """Airflow's word for the task, made exact by what the task said of itself."""
    state = TASK_STATES.get(task_state, "pending")
    if state == "pending" and run_state in ENDED:
        return "skipped"
    return said if said and (state == "passed" or said == "failed") else state


def _outcome(context: Context, where: Where, task: dict[str, Any]) -> dict[str, Any]:
    said = context.airflow.said(*where, task["task_id"], "outcome") if task else None
    return said if isinstance(said, dict) else {}


def _task_url(context: Context, where: Where, task: dict[str, Any]) -> str:
    if not task:
        return ""
    dag, run_id = where
    return f"{context.endpoints.airflow.outside}/dags/{dag}/runs/{run_id}/tasks/{task['task_id']}"


def _utc(moment: str) -> str:
    if not moment:
        return ""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(start: str | None, end: str) -> float | None:
    if not start:
        return None
    until = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return round(max(0.0, (until - datetime.fromisoformat(start)).total_seconds()), 1)


def _span(stages: list[Stage]) -> float | None:
    spans = [(datetime.fromisoformat(s.started), s.seconds or 0.0) for s in stages if s.started]
    if not spans:
        return None
    start = min(moment for moment, _ in spans)
    return round(max((moment - start).total_seconds() + seconds for moment, seconds in spans), 1)
