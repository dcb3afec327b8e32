"""The run a stage belongs to, and what a stage says when it ends."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loop.errors import Failure
from loop.limits import Limits
from loop.settings import Settings

log = logging.getLogger(__name__)

LOOP = "train_and_serve"  # the DAG of the whole loop
STATES = ("passed", "failed", "rejected", "waiting", "skipped")
COMMIT = re.compile(r"[0-9a-f]{40}")
DATA_VERSION = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Outcome:
    """How a stage ended, in one sentence; `values` is what later stages use, `url` a link for people."""

    state: str
    detail: str
    values: dict[str, Any] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True)
class Run:
    """One run of the loop: its key, what was asked for, where things are and what the limits are.

    `say` tells people what a stage that still runs is waiting for.
    """

    dag_id: str
    run_id: str
    conf: dict[str, Any]
    dag_commit: str
    settings: Settings
    limits: Limits
    try_number: int = 1
    say: Callable[[str], None] = log.info

    @property
    def reason(self) -> str:
        """Why the loop runs: what was asked for, else the first word of the run id."""
        first = self.run_id.split("-")[0]
        return self.conf.get("reason") or (
            first if first in ("push", "data", "schedule", "drift") else "manual"
        )

    @property
    def key(self) -> str:
        """What no other run has: two DAGs may each have a run of the same id."""
        return f"{self.dag_id}/{self.run_id}"

    @property
    def url(self) -> str:
        """The run's page in Airflow, for people."""
        return f"{self.settings.airflow_web_url}/dags/{self.dag_id}/runs/{self.run_id}"

    def commit(self, key: str) -> str:
        """The commit named by `key` of conf, or an empty string; raises Failure when it is no commit."""
        return self._matching(key, COMMIT, "40 hex digits")

    def data_version(self) -> str:
        """The historical data version asked for, or an empty string; raises Failure when it is not 12 hex."""
        return self._matching("data_version", DATA_VERSION, "12 hex digits")

    def _matching(self, key: str, pattern: re.Pattern[str], shape: str) -> str:
        value = self.conf.get(key) or ""
        if value and not (isinstance(value, str) and pattern.fullmatch(value)):
            raise Failure(f"{key} in the run's conf is {value!r}: it must be {shape}")
        return value


def plural(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
