"""MLflow: what is served, with its figures, and the newest judgement of drift."""

import logging
import re
import time
from typing import Any

from monitor import git
from monitor.errors import Away
from monitor.mlflow import Mlflow, read_figures, tags
from monitor.outcomes import seconds
from monitor.runs import FIRST_LOOK
from monitor.store import Store

log = logging.getLogger(__name__)

SERVED, DRIFT = "served", "drift"
DATA_REPOSITORY = "data_preprocessing"
TESTS = ("psi", "ks")
ASK_GIT_AGAIN = 60.0  # seconds: a commit that is gone stays gone, a Git that starts will answer
MOST = 50  # figures of a run, columns of a judgement: labels are no place for more
NAME = re.compile(r"[\w./ -]{1,100}")
COMMIT = re.compile(r"[0-9a-f]{40}")


class RegistryWatch:
    """Looks at MLflow; `git_url` is where the data repository lies, `model_name` the one model to look at."""

    def __init__(self, store: Store, mlflow: Mlflow, git_url: str, model_name: str) -> None:
        self.store, self.mlflow = store, mlflow
        self.data_repository = f"{git_url}/{DATA_REPOSITORY}.git"
        self.model_name = model_name
        self._ask_git_at = 0.0  # of time.monotonic

    def look(self) -> None:
        """See what is champion, and the newest run of drift. Raises Away."""
        champion = self.mlflow.champion(self.model_name)
        if not champion:
            self.store.know(SERVED, None)
        else:
            self._look_at(*champion)
        self._look_at_drift()

    def _look_at(self, name: str, number: str, promoted_at: str) -> None:
        known: dict[str, Any] = self.store.known(SERVED) or {}
        same = (name, number, promoted_at) == tuple(
            known.get(key) for key in ("model", "version", "promoted_at")
        )
        if not same:
            known = self._read(name, number, promoted_at)
            self._ask_git_at = 0.0
        if known["data_made"] is None and time.monotonic() >= self._ask_git_at:
            known = known | {"data_made": self._data_made(known["data_commit"])}
        self.store.know(SERVED, known)

    def _read(self, name: str, number: str, promoted_at: str) -> dict[str, Any]:
        version = self.mlflow.version(name, number)
        said = tags(version)
        figures = self.mlflow.metrics(version["run_id"]) if version.get("run_id") else {}
        return {
            "model": name,
            "version": number,
            "promoted_at": promoted_at,
            "promoted": seconds(promoted_at),
            "created": version["creation_timestamp"] / 1000,
            "code_commit": said.get("code_commit", ""),
            "data_version": said.get("data_version", ""),
            "data_commit": said.get("data_commit", ""),
            "data_made": None,
            "metrics": dict([(k, v) for k, v in sorted(figures.items()) if NAME.fullmatch(k)][:MOST]),
        }

    def _data_made(self, commit: str) -> float | None:
        """When the data commit was made; None where Git does not tell now.

        The samples' commits have a fixed date: nothing is older than the monitor's first look.
        """
        if not COMMIT.fullmatch(commit):
            return None
        try:
            return max(git.made_at(self.data_repository, commit), self.store.known(FIRST_LOOK) or 0.0)
        except Away as error:
            self._ask_git_at = time.monotonic() + ASK_GIT_AGAIN
            log.warning("When data commit %s was made is not known yet: %s", commit[:12], error)
            return None

    def _look_at_drift(self) -> None:
        run = self.mlflow.newest_drift()
        if not run:
            return
        said, figures = tags(run["data"]), read_figures(run["data"])
        scores = {
            key: value
            for key, value in sorted(figures.items())
            if key.partition(".")[0] in TESTS and NAME.fullmatch(key.partition(".")[2])
        }
        judged = {
            "model": said.get("model", ""),
            "version": said.get("version", ""),
            "at": int(run["info"].get("end_time") or run["info"]["start_time"]) / 1000,
            "rows": figures.get("rows", 0.0),
            "scores": dict([*scores.items()][: MOST * len(TESTS)]),
        }
        self.store.know(DRIFT, judged)
