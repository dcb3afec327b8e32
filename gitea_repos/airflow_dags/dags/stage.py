"""Operators whose every end leaves an XCom `outcome` and a commit status, whatever the end is."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTerminated,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
)
from airflow.sdk.log import mask_secret

from loop.announce import announce
from loop.errors import Failure, LoopError, Undone
from loop.limits import Limits
from loop.masking import masked, secrets
from loop.receipt import Stage as Past
from loop.room import shortage_named
from loop.run import Outcome, Run
from loop.settings import Settings, image_store

log = logging.getLogger(__name__)

FINAL = (Failure, AirflowTaskTimeout)  # what trying again would not change


def read_run(context: Mapping[str, Any]) -> Run:
    """The run that Airflow's context speaks of."""
    dag_run, bundle = context["dag_run"], getattr(context["ti"], "bundle_instance", None)
    return Run(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        conf=dag_run.conf or {},
        dag_commit=(bundle and bundle.version) or "",
        settings=Settings.from_env(),
        limits=Limits.read(),
        try_number=context["ti"].try_number,
    )


class Recorded(BaseOperator):
    """An operator that does `perform` and says how it ended: to later tasks, to people and to the commit.

    `needs` are the tasks whose results the work gets; with `chronicle` it also gets, as `stages`, how every
    task before it ended. Rejected and waiting are no failures: the task succeeds and the rest is skipped.
    """

    def __init__(self, *, needs: Sequence[str] = (), chronicle: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.needs = tuple(needs)
        self.chronicle = chronicle
        self.working = False

    def perform(self, run: Run, results: dict[str, Any]) -> Outcome:
        """Do the work; raises LoopError."""
        raise NotImplementedError

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Do the work and record its end; the result is what later tasks use."""
        started = datetime.now(UTC)
        # Airflow's own masking covers what is logged past the loop: tracebacks, libraries.
        for secret in secrets():
            mask_secret(secret)
        self.working = True
        try:
            outcome = self._perform(context)
        except BaseException as error:
            self.working = False
            # Should even the telling fail, Airflow must still hear the first reason.
            with suppress(Exception):
                self._record(context, self._failed(context, error), started)
            raise translated(error, self.execution_timeout) from None
        self.working = False
        self._record(context, outcome, started)
        return self._conclude(context, outcome)

    def on_kill(self) -> None:
        """End the work at once when Airflow asks: Airflow's signal handler itself does not interrupt it."""
        if self.working:
            raise AirflowTaskTerminated("ended by Airflow before it was done")

    def _perform(self, context: Mapping[str, Any]) -> Outcome:
        ti = context["ti"]
        run = replace(read_run(context), say=partial(waiting, ti))
        announce(run, self._known(ti), self.task_id, "running", "")
        results = {task: ti.xcom_pull(task_ids=task) for task in self.needs}
        if self.chronicle:
            results["stages"] = [past(ti, task) for task in self._before()]
        with shortage_named(image_store()):
            return self.perform(run, results)

    def _failed(self, context: Mapping[str, Any], error: BaseException) -> Outcome:
        final = isinstance(error, FINAL)
        if not final and context["ti"].try_number <= context["ti"].max_tries:
            return Outcome("running", f"to be tried again: {describe(error, self.execution_timeout)}")
        return Outcome("failed", describe(error, self.execution_timeout))

    def _record(self, context: Mapping[str, Any], outcome: Outcome, started: datetime) -> None:
        outcome = replace(outcome, detail=masked(outcome.detail))
        log.info("%s: %s", outcome.state, outcome.detail)
        ti, url = context["ti"], outcome.url
        seconds = round((datetime.now(UTC) - started).total_seconds(), 2)
        # Without settings there is no link and no status, but still an outcome that says why.
        with suppress(LoopError):
            run = read_run(context)
            url = url or run.url
            announce(run, self._known(ti) | outcome.values, self.task_id, outcome.state, outcome.detail)
        ti.xcom_push(key="timing", value={"started": started.isoformat(), "seconds": seconds})
        ti.xcom_push(key="outcome", value={"state": outcome.state, "detail": outcome.detail, "url": url})

    def _known(self, ti: Any) -> dict[str, Any]:
        """What is known of the commits: the result of `plan`, in promote_model of `promote`, else nothing."""
        first = next((task for task in ("plan", "promote") if self.dag.has_task(task)), self.task_id)
        return known(ti) if first != self.task_id else {}

    def _before(self) -> list[str]:
        before = self.get_flat_relative_ids(upstream=True)
        return [task.task_id for task in self.dag.topological_sort() if task.task_id in before]

    def _conclude(self, context: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
        if outcome.state == "skipped":
            raise AirflowSkipException(outcome.detail)
        if outcome.state in ("rejected", "waiting"):
            # The exception keeps Airflow from storing the result, so that is done here.
            context["ti"].xcom_push(key="return_value", value=outcome.values)
            raise DownstreamTasksSkipped(tasks=sorted(self.get_flat_relative_ids(upstream=False)))
        return outcome.values


class Stage(Recorded):
    """One function of `loop/`, called with the run and the results of the tasks it needs."""

    def __init__(self, *, function: Callable[..., Outcome], **options: Any) -> None:
        super().__init__(**options)
        self.function = function

    def perform(self, run: Run, results: dict[str, Any]) -> Outcome:
        """Call the function."""
        return self.function(run, **results)


def waiting(ti: Any, text: str) -> None:
    """Record what a task that still runs waits for."""
    log.info("running: %s", text)
    ti.xcom_push(key="outcome", value={"state": "running", "detail": text, "url": ""})


def known(ti: Any) -> dict[str, Any]:
    """The result of the run's first task: `plan`, or in promote_model `promote`."""
    return ti.xcom_pull(task_ids="plan") or ti.xcom_pull(task_ids="promote") or {}


def past(ti: Any, task: str) -> Past:
    """How a task of this run ended, as it told itself."""
    outcome = ti.xcom_pull(task_ids=task, key="outcome") or {}
    timing = ti.xcom_pull(task_ids=task, key="timing") or {}
    state, detail = outcome.get("state", "unknown"), outcome.get("detail", "")
    return Past(task, state, timing.get("started"), timing.get("seconds"), detail)


def translated(error: BaseException, limit: Any = None) -> BaseException:
    """The exception by which Airflow does what an end of a task means: fail for good, or try again.

    Left to itself Airflow does the opposite: it tries again after a timeout, and not after a kill.
    """
    if isinstance(error, FINAL):
        return AirflowFailException(masked(describe(error, limit)))
    if isinstance(error, LoopError | AirflowTaskTerminated):
        return AirflowException(masked(describe(error, limit)))
    return error


def describe(error: BaseException, limit: Any = None) -> str:
    """One sentence for people about any end of a task."""
    if isinstance(error, AirflowTaskTimeout):
        return (
            f"took longer than {limit.total_seconds():.0f} seconds, its limit in slo.yaml"
            if limit
            else "timed out"
        )
    if isinstance(error, Undone) and error.__cause__:
        return f"{describe(error.__cause__, limit)}; {error}"
    if isinstance(error, LoopError | AirflowTaskTerminated):
        return str(error)
    return f"an error of the loop itself, {type(error).__name__}: {error}"
