"""A hundred loops leave disk and durations flat: `make bench-retention`, on a sandbox of its own.

Every fifth loop is a push to model_training, the others `sandbox run`; after every ten the DAG `retention`
runs, and a line says what is used now. Low numbers in .env make retention work within the hour.
The last line of the output is one JSON object: the rows of the table.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from memory import memory_of
from pushed import LONGEST, commit_something, measure_push

from sandbox import by_hand, console
from sandbox.clone import clone_repository
from sandbox.context import Context
from sandbox.drivers.processes import airflow_database
from sandbox.errors import LoopError, SandboxError
from sandbox.receipt import DAG
from sandbox.settings import ROOT
from sandbox.wait import wait_until

STATE = ROOT / ".sandbox"
REPOSITORY, RETENTION = "model_training", "retention"
SHOWN = ("airflow", "ci", "dvc", "git", "images", "logs", "mlflow", "prediction-api")
PUSHED = 5  # one loop of so many
TABLES = ("dag_run", "task_instance", "xcom", "log")


def push_loop(context: Context, folder: Path) -> float:
    """A harmless commit, pushed; seconds until it was served."""
    commit_something(folder, "One of a hundred loops")
    return measure_push(context, REPOSITORY, folder).seconds


def run_loop(context: Context) -> float:
    """`sandbox run`; its seconds. Raises LoopError where it does not pass."""
    receipt = by_hand.start_and_follow(context, DAG, {"reason": "manual"}, LONGEST)
    if receipt.state != "passed":
        raise LoopError(f"{receipt.run_id} ended {receipt.state}.", f"Run: make trace REF={receipt.run_id}")
    return receipt.seconds or 0.0


def clean(context: Context) -> None:
    """Run the DAG `retention` now. Raises LoopError where it fails."""
    run_id = f"bench-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    context.airflow.start(RETENTION, run_id, {})

    def look() -> str | None:
        run = context.airflow.run(RETENTION, run_id) or {}
        return run.get("state") if run.get("state") in ("success", "failed") else None

    if wait_until(look, what=f"the DAG {RETENTION}", seconds=300) == "failed":
        raise LoopError(f"The run {run_id} of {RETENTION} failed.", "Its log: make open SERVICE=airflow-api")


def disk() -> dict[str, float]:
    """MiB of each folder of the state; what is linked many times counts once."""
    return {name: round(mib_of(STATE / name), 1) for name in SHOWN}


def mib_of(folder: Path) -> float:
    """Allocated MiB below a folder."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        try:
            stat = path.lstat()
        except FileNotFoundError:  # a running service removes it meanwhile
            continue
        seen[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(seen.values()) / 1024**2


def rows() -> dict[str, int]:
    """Rows of Airflow's tables that loops write."""
    with closing(sqlite3.connect(f"{airflow_database(STATE).as_uri()}?mode=ro", uri=True)) as connection:
        return {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES}


def measure(loops: int, pushes: list[float], runs: list[float]) -> dict[str, object]:
    """One row of the table."""
    seconds = {name: round(median(each), 1) for name, each in (("push", pushes), ("run", runs)) if each}
    return {
        "loops": loops,
        "seconds": seconds,
        "disk_mib": disk(),
        "rows": rows(),
        "memory_mib": round(memory_of(STATE)),
    }


def show(row: dict[str, object]) -> None:
    """The row for people."""
    console.done(json.dumps(row))


def run(context: Context, loops: int, every: int) -> list[dict[str, object]]:
    """All loops; a row after each `every` of them. Raises SandboxError."""
    found = [measure(0, [], [])]
    show(found[0])
    with tempfile.TemporaryDirectory() as scratch:
        folder = clone_repository(context, REPOSITORY, Path(scratch) / REPOSITORY)
        pushes: list[float] = []
        runs: list[float] = []
        for number in range(1, loops + 1):
            if number % PUSHED == 1:
                pushes.append(push_loop(context, folder))
            else:
                runs.append(run_loop(context))
            if number % every == 0 or number == loops:
                clean(context)
                found.append(measure(number, pushes, runs))
                show(found[-1])
                pushes, runs = [], []
    return found


def main() -> None:
    """Read the options, run, print; expected failures as the tool itself tells them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("loops", type=int, nargs="?", default=100)
    parser.add_argument("--every", type=int, default=10)
    arguments = parser.parse_args()
    try:
        context = Context.load()
        if context.settings.driver != "embedded":
            raise LoopError("This sandbox is not embedded.", "make bench-retention makes one of its own")
        console.say(json.dumps(run(context, arguments.loops, arguments.every)))
    except SandboxError as error:
        console.problem(str(error), error.hint)
        sys.exit(1)


if __name__ == "__main__":
    main()
