"""`ci start`: a run of a DAG by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ci.airflow import Airflow, UnknownDag
from ci.command_settings import AirflowSettings
from ci.errors import DeliverError, UsageError
from ci.follow import follow
from ci.insist import Say, insist

DAG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
KEY = re.compile(r"[a-z][a-z0-9_]*")
SWITCHES = {"true": True, "false": False}
READING = 30.0  # seconds that Airflow may need for the rest of its DAGs, once it knows some


def start(settings: AirflowSettings, dag: str, conf: dict[str, Any], wait: bool, say: Say) -> None:
    """Start a run and say where its page is; with `wait`, until it has ended.

    Raises UsageError, or DeliverError where Airflow does not take it or the run failed.
    """
    if not DAG_NAME.fullmatch(dag):
        raise UsageError(f"{dag!r} is no name of a DAG.")
    airflow = Airflow(settings.url, settings.user, settings.password)
    run = f"manual-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    insist(Asking(airflow, dag, run, conf).ask, settings.timeout, say)
    say(f"Airflow accepted the run {run} of {dag}")
    say(settings.run_url(dag, run))
    if wait:
        follow(airflow, settings, dag, run, say)


def read_conf(pairs: Iterable[str]) -> dict[str, Any]:
    """The conf that `key=value` words mean: empty values left out, true and false as booleans, else text.

    Raises UsageError naming the word that is wrong.
    """
    conf: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not KEY.fullmatch(key):
            raise UsageError(f"{pair!r} is not of the form key=value.")
        if key in conf:
            raise UsageError(f"{key} is given twice, the second time as {pair!r}.")
        conf[key] = SWITCHES.get(value.strip(), value.strip())
    return {key: value for key, value in conf.items() if value != ""}


@dataclass
class Asking:
    """One run that is asked for again and again; `reading` is when Airflow was first seen to know DAGs."""

    airflow: Airflow
    dag: str
    run: str
    conf: dict[str, Any]
    reading: float | None = None

    def ask(self) -> None:
        """Ask for the run. Raises DeliverError, or NotYet as long as Airflow may just read its DAGs."""
        try:
            is_new = self.airflow.start_run(self.dag, self.run, self.conf)
        except UnknownDag:
            self._check_known()
            raise
        # an attempt whose answer was lost has made the run; the clock may have given another the same name
        if not is_new and ((self.airflow.run(self.dag, self.run) or {}).get("conf") or {}) != self.conf:
            raise DeliverError(
                f"{self.dag} has another run {self.run}, started in the same second; start yours again."
            )

    def _check_known(self) -> None:
        """Raise DeliverError where Airflow has had the time to read a DAG of that name and knows others."""
        known = self.airflow.dags()
        if not known or self.dag in known:  # just starting, or read this moment
            return
        self.reading = self.reading or time.monotonic()
        if time.monotonic() - self.reading < READING:
            return
        raise DeliverError(
            f"Airflow has no DAG {self.dag}, only {', '.join(known)};"
            " check the name, or push it to airflow_dags."
        )
