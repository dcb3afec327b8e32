"""One loop as a person starts it, by `git push`, and where its time went."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import trace
from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.git import IDENTITY, git
from sandbox.http import Http
from sandbox.receipt import DAG
from sandbox.reference import push_run_id
from sandbox.wait import wait_until

LONGEST = 900.0  # seconds of one loop
TASKS = ("plan", "data", "train", "gate", "register", "tag", "promote", "serve", "verify")


@dataclass(frozen=True)
class Measured:
    """Seconds of one loop: in all, of each stage, and of a stage's work without what it waited for."""

    seconds: float
    stages: dict[str, float]
    work: dict[str, float]


def commit_something(folder: Path, message: str) -> str:
    """A commit that changes nothing of what a loop does; its 40 hex digits."""
    with (folder / "BENCHMARK.md").open("a") as file:
        file.write(f"* {datetime.now(UTC).isoformat()} {message}\n")
    git("add", "BENCHMARK.md", folder=folder)
    git("commit", "--quiet", "--message", message, folder=folder, env=IDENTITY)
    return git("rev-parse", "HEAD", folder=folder)


def measure_push(context: Context, repository: str, folder: Path) -> Measured:
    """Push the head of `folder` and wait until its model is served and verified. Raises LoopError."""
    commit = git("rev-parse", "HEAD", folder=folder)
    started = datetime.now(UTC).timestamp()
    git("push", "--quiet", "origin", "HEAD:main", folder=folder, env=IDENTITY)
    # One request a look: `trace --wait` asks for every stage each time, which two cores feel.
    what, run_id = f"the loop of {commit[:12]}", push_run_id(repository, commit)
    wait_until(lambda: _ended(context, repository, run_id, commit), what=what, seconds=LONGEST, interval=1.0)
    receipt = trace.trace(context, commit)
    if receipt.state != "passed":
        trace.show_receipt(receipt)
        raise LoopError(f"The loop of {commit[:12]} ended {receipt.state}.", "Run: make trace")
    return _measured(context, started, _build(context, repository, commit), run_id)


def _ended(context: Context, repository: str, run_id: str, commit: str) -> bool:
    """Whether the run has ended, or its build failed before there was one."""
    if run := context.airflow.run(DAG, run_id):
        return run["state"] in ("success", "failed")
    found = context.statuses.of(repository, commit)
    rows = found[1] if found else []
    return any(row["context"] == "ci" and row["status"] in ("failure", "error") for row in rows)


def _build(context: Context, repository: str, commit: str) -> dict[str, Any]:
    http = Http("ci", context.endpoints.ci.outside)
    builds: list[dict[str, Any]] = http.get(f"/job/{repository}/api/json")["builds"]
    return next(build for build in builds if build["commit"] == commit)


def _measured(context: Context, started: float, build: dict[str, Any], run: str) -> Measured:
    """Each stage from the end of the one before to its own end; what lies between is the stage's wait."""
    begun, steps = build["timestamp"] / 1000, {s["name"]: s["duration"] / 1000 for s in build["stages"]}
    stages = {"push": begun - started, "checkout": build["duration"] / 1000 - sum(steps.values()), **steps}
    work = {name: stages[name] for name in steps}
    before, tasks = started + sum(stages.values()), context.airflow.tasks(DAG, run)
    for name in TASKS:
        end = datetime.fromisoformat(tasks[name]["end_date"]).timestamp()
        stages[name], before = end - before, end
        work[name] = context.airflow.said(DAG, run, name, "timing")["seconds"]
    return Measured(before - started, stages, work)
