"""What Airflow no longer has to keep: ended runs, their logs and its events, after KEEP_RUN_DAYS.

Runs go by Airflow's API, so that those which somebody still asks for can stay; events by its `db clean`.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from loop.airflow import Airflow, Ran
from loop.errors import Unreachable
from loop.mlflow import MLflow
from loop.run import LOOP
from loop.settings import Retention

NUMBERED = re.compile(r"manual-(\d+)")
# Rows that belong to no run; what belongs to one goes with it.
TABLES = ("log", "job", "import_error", "callback", "revoked_token")
LONGEST = 300  # seconds of `airflow db clean`


def clean(kept: Retention, airflow: Airflow, mlflow: MLflow, now: datetime) -> str:
    """Remove what is older than KEEP_RUN_DAYS and tell how much. Raises LoopError."""
    before = now - kept.age
    runs, stay = airflow.runs(), wanted(mlflow)
    old = [run for run in expired(runs, stay, before) if airflow.delete(run)]
    folders = remove_logs(kept.logs, {run.key for run in runs} - {run.key for run in old}, before)
    clean_tables(kept, before)
    return f"{len(old)} of {len(runs)} runs and {folders} folders of logs from before {before:%F %T} are gone"


def wanted(mlflow: MLflow) -> set[str]:
    """The runs that made and promoted the versions with an alias: the served model, and one that waits."""
    found = set()
    for version in mlflow.all_aliased():
        found |= {f"{LOOP}/{version.tags.get('loop_run_id')}", version.tags.get("promoted_by", "")}
    return found


def expired(runs: Iterable[Ran], stay: set[str], before: datetime) -> list[Ran]:
    """The runs to remove; the newest of each DAG stays, and the highest number given by hand."""
    runs = list(runs)
    newest = {run.dag_id: run.key for run in reversed(runs)}
    numbered = [(int(match[1]), run.key) for run in runs if (match := NUMBERED.fullmatch(run.run_id))]
    stay = {*stay, *newest.values(), max(numbered, default=(0, ""))[1]}
    return [run for run in runs if run.ended and run.ended < before and run.key not in stay]


def remove_logs(folder: Path, stay: set[str], before: datetime) -> int:
    """Remove the logs of runs that are gone, and the DAG processor's of days gone by; how many folders."""
    logs = {path: _key(path) for path in folder.glob("dag_id=*/run_id=*")}
    old = [path for path, key in logs.items() if key not in stay and _is_older(path, before)]
    # One folder a day, named by its date; `latest` is a link.
    days = [path for path in folder.glob("dag_processor/20*") if _is_older(path, before)]
    for path in [*old, *days]:
        shutil.rmtree(path, ignore_errors=True)
    return len(old) + len(days)


def clean_tables(kept: Retention, before: datetime) -> None:
    """Remove old rows that belong to no run. Raises Unreachable with the last words of Airflow's command.

    A program of its own, because Airflow takes the database's address from every task.
    """
    command = [kept.airflow, "db", "clean", "--yes", "--skip-archive", "--tables", ",".join(TABLES)]
    command += ["--clean-before-timestamp", before.isoformat()]
    try:
        done = subprocess.run(  # noqa: S603 -- a list, no shell
            command, env=kept.environment, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"airflow db clean did not end: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise Unreachable(f"airflow db clean ended with {done.returncode}: {last}")


def _key(path: Path) -> str:
    """The run that a folder of logs is of."""
    return f"{path.parent.name.removeprefix('dag_id=')}/{path.name.removeprefix('run_id=')}"


def _is_older(folder: Path, before: datetime) -> bool:
    times = [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
    return max(times) < before.timestamp()
