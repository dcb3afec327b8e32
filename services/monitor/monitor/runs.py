"""Airflow's runs: each end of one is counted once and becomes an event."""

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitor import events, histograms, outcomes
from monitor.airflow import DAGS, LOOP, PROMOTION, Airflow, Row
from monitor.errors import Away, Later
from monitor.outcomes import Said, seconds
from monitor.statuses import SUCCESS, Statuses
from monitor.store import Store

log = logging.getLogger(__name__)

FIRST_LOOK, SINCE, GOING, FAILED_AT = "first_look", "ended_since", "going", "failed_at"
MARGIN = timedelta(minutes=1)  # an end may be seen after a later one of the other DAG
PATIENCE = 600.0  # seconds that an ended run waits for the statuses of its commit
AT_ONCE = 50  # ends of one look: a long history is read in several


@dataclass(frozen=True)
class End:
    """All that is kept of an ended run; seconds of its `stages`, and from the `push` to `verify`."""

    told: events.Ended
    at: float
    stages: dict[str, float] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    push: float | None = None


class RunWatch:
    """Looks at Airflow."""

    def __init__(self, store: Store, airflow: Airflow, statuses: Statuses, celebrate: float) -> None:
        self.store, self.airflow, self.statuses, self.celebrate = store, airflow, statuses, celebrate
        if store.known(FIRST_LOOK) is None:
            store.know(FIRST_LOOK, time.time())  # what ended before it is history, and no news

    def look(self) -> None:
        """See what runs, and record what has ended since. Raises Away."""
        going = self.airflow.going()
        self.store.know(GOING, {dag: _oldest([run for run in going if run["dag_id"] == dag]) for dag in DAGS})
        recorded = 0
        for run in self.airflow.ended(self._since()):
            if run["dag_id"] in DAGS and run.get("end_date") and not self.store.has_run(_key(run)):
                try:
                    self._keep(_key(run), self._end(run))
                except Later:
                    return  # ends are kept in their order
                recorded += 1
            if recorded >= AT_ONCE:
                return

    def _since(self) -> str:
        newest = self.store.known(SINCE)
        return (datetime.fromisoformat(newest) - MARGIN).isoformat() if newest else ""

    def _end(self, run: Row) -> End:
        """What Airflow and the commit's statuses tell of an ended run. Raises Away."""
        dag, tasks = run["dag_id"], self.airflow.tasks(run)
        passed, stopped = outcomes.decisive(dag, tasks)
        first, before = self._said(run, stopped), Said()
        if run["state"] != "failed" and stopped:
            before = self._said(run, passed)
        outcome = outcomes.outcome(run, before, first)
        decided = before if before.state == outcome else first
        told = events.Ended(
            dag=dag,
            run_id=run["dag_run_id"],
            at=run["end_date"],
            outcome=outcome,
            reason=outcomes.reason(run),
            stage="data" if decided.task == "plan" else decided.task,
            detail=decided.detail,
            model=self._model(run, tasks),
            accuracy=self._accuracy(run) if outcome == outcomes.SERVED else None,
        )
        rules = tuple(outcomes.rules(decided.detail)) if outcome == outcomes.REJECTED else ()
        ci, push = self._pushed(run, tasks)
        return End(told, seconds(told.at), ci | outcomes.stage_seconds(dag, tasks), rules, push)

    def _said(self, run: Row, task: str) -> Said:
        said = self.airflow.said(run, task, "outcome") if task else {}
        state = str(said.get("state", ""))
        # A task that died still says what it waited for, which is not why.
        return Said(task, state, "" if state == "running" else str(said.get("detail", "")))

    def _model(self, run: Row, tasks: dict[str, Row]) -> str:
        """The version that a run is about, as `iris/3`; empty where it made none."""
        asked: dict[str, Any] = outcomes.conf(run)
        if run["dag_id"] == LOOP:
            registered = (tasks.get("register") or {}).get("state") == "success"
            asked = self.airflow.said(run, "register", "return_value") if registered else {}
        return f"{asked['name']}/{asked['version']}" if asked.get("name") and asked.get("version") else ""

    def _accuracy(self, run: Row) -> float | None:
        if run["dag_id"] == PROMOTION:
            return None
        value = (self.airflow.said(run, "train", "return_value").get("metrics") or {}).get("accuracy")
        return float(value) if isinstance(value, int | float) else None

    def _pushed(self, run: Row, tasks: dict[str, Row]) -> tuple[dict[str, float], float | None]:
        """Seconds of the stage `ci`, and from the push to the end of `verify` where it came so far."""
        conf = outcomes.conf(run)
        if outcomes.reason(run) != "push" or not (conf.get("repository") and conf.get("commit")):
            return {}, None
        if self.store.has_ended_before(run["dag_id"], run["dag_run_id"]):
            return {}, None  # what is done again by hand tells nothing of a push
        try:
            rows = self.statuses.all_ci(str(conf["repository"]), str(conf["commit"]))
        except Away as error:
            if time.time() - seconds(run["end_date"]) < PATIENCE:
                raise Later(str(error)) from error
            rows = []
        if not rows:
            return {}, None
        began = seconds(rows[0]["created_at"])
        done = next((row for row in rows if row["status"] == SUCCESS), None)
        verify = tasks.get("verify") or {}
        served = verify["end_date"] if verify.get("state") == "success" else None
        ci = {"ci": max(0.0, seconds(done["updated_at"]) - began)} if done else {}
        return ci, max(0.0, seconds(served) - began) if served else None

    def _keep(self, key: tuple[str, str, str], end: End) -> None:
        """All of it or nothing, so that an end is counted and told once."""
        told, store = end.told, self.store
        with store.writing():
            store.add_run(key, end.at, told.outcome, told.reason)
            store.add("loop_runs_total", dag=told.dag, reason=told.reason, outcome=told.outcome)
            store.put("loop_last_run_timestamp_seconds", end.at, dag=told.dag, outcome=told.outcome)
            for rule in end.rules:
                store.add("loop_rejections_total", rule=rule)
            for stage, value in end.stages.items():
                histograms.observe(store, histograms.STAGE, value, stage=stage)
                store.put("loop_stage_last_seconds", value, stage=stage)
            if end.push is not None:
                histograms.observe(store, histograms.PUSH, end.push)
            self._restored(end)
            event = events.of_run(told, self.celebrate)
            if event and end.at >= store.known(FIRST_LOOK):
                store.add_event("/".join(key), event)
            store.know(SINCE, max(told.at, store.known(SINCE) or told.at))
        log.info("%s/%s ended %s", told.dag, told.run_id, told.outcome)

    def _restored(self, end: End) -> None:
        """From the first failure to the next run that served."""
        failed_at = self.store.known(FAILED_AT)
        if end.told.outcome == outcomes.FAILED and failed_at is None:
            self.store.know(FAILED_AT, end.at)
        if end.told.outcome == outcomes.SERVED and failed_at is not None:
            histograms.observe(self.store, histograms.RESTORE, max(0.0, end.at - failed_at))
            self.store.know(FAILED_AT, None)


def _key(run: Row) -> tuple[str, str, str]:
    return run["dag_id"], run["dag_run_id"], run["end_date"]


def _oldest(going: list[Row]) -> float | None:
    """When the oldest run began, as its time limit is counted; of one that is queued alone, when it was."""
    started = [run["start_date"] for run in going if run.get("start_date")]
    asked = [run.get("queued_at") or run["run_after"] for run in going]
    return min(map(seconds, started or asked), default=None)
