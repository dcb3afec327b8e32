"""Around a judgement of drift: whether there is enough to judge, and the loop that follows from it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from loop.airflow import Airflow
from loop.errors import Failure, Refused
from loop.mlflow import MLflow
from loop.plan import CODE, newest_green
from loop.prediction import PredictionAPI
from loop.run import LOOP, Outcome, Run, plural
from loop.settings import AirflowLogin
from loop.statuses import Statuses

PREFIX = "drift-"  # of the run ids of loops that drift has started
NEWEST_ROW = "newest_row"  # tag of a judgement's MLflow run: ISO 8601, the time of the newest row it saw


def look(run: Run) -> Outcome:
    """The image that is to judge; skipped where fewer rows than `least_rows` came since the last judgement.

    A run that a person has started judges the whole window again.
    """
    api = PredictionAPI(run.settings)
    served = next(iter(api.served().workers), ("", ""))
    if not all(served):
        return Outcome("skipped", "nothing to judge: no model is served")
    name, version = served
    since, least = _since(run, name, version), run.limits.drift.least_rows
    try:
        rows = api.logged(name, version, since, least)
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return Outcome("skipped", "nothing to judge: predictions are not logged (PREDICTION_LOG)")
    found = f"{plural(rows, 'row')} of {name} version {version} since {since:%Y-%m-%d %H:%M} UTC"
    if rows < least:
        return Outcome("skipped", f"too few to judge: {found}, and {least} are asked for")
    judge = newest_green(run, Statuses(run.settings), CODE, patient=False)
    values = {"image": judge.image, "code_commit": judge.commit}
    return Outcome("passed", f"at least {found}; {CODE} {judge.commit[:12]} judges them", values)


def start(run: Run, judge: dict[str, Any]) -> Outcome:
    """Start the loop where requests drifted, at most once in `window_hours`, whatever became of it."""
    if not judge["drifted"]:
        return Outcome("passed", "nothing to start", {"run_id": "", "started": False})
    airflow, now = Airflow(AirflowLogin.from_env()), datetime.now(UTC)
    hours = run.limits.drift.window_hours
    last = airflow.newest(LOOP, PREFIX)
    if last and last.asked and last.asked > now - timedelta(hours=hours):
        detail = (
            f"{last.run_id} started at {last.asked:%Y-%m-%d %H:%M} UTC, and drift starts one in {hours:g} h"
        )
        return Outcome("passed", detail, {"run_id": last.run_id, "started": False}, _page(run, last.run_id))
    run_id = _start(airflow, now)
    return Outcome("passed", f"started {run_id}", {"run_id": run_id, "started": True}, _page(run, run_id))


def _since(run: Run, name: str, version: str) -> datetime:
    """From when on rows count: the window, or what came after the newest row judged so far."""
    window = datetime.now(UTC) - timedelta(hours=run.limits.drift.window_hours)
    if run.conf.get("reason") == "manual":
        return window
    judged = MLflow(run.settings).find_runs({"model": name, "version": version})
    seen = [datetime.fromisoformat(tags[NEWEST_ROW]) for tags in judged if tags.get(NEWEST_ROW)]
    return max([window, *seen])


def _start(airflow: Airflow, now: datetime) -> str:
    """The run of that day; a window shorter than a day may need the time as well."""
    run_id = f"{PREFIX}{now:%Y-%m-%d}"
    if not airflow.start(LOOP, run_id, {"reason": "drift"}):
        run_id = f"{run_id}T{now:%H%M}"
        if not airflow.start(LOOP, run_id, {"reason": "drift"}):
            raise Failure(f"{run_id} is there already, and it was not drift that started it")
    return run_id


def _page(run: Run, run_id: str) -> str:
    return f"{run.settings.airflow_web_url}/dags/{LOOP}/runs/{run_id}"
