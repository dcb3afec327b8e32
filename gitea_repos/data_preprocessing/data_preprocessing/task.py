"""The task `data`: from a data commit to a data version that is stored, described and tagged."""

import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

import psutil

from data_preprocessing import git, layout
from data_preprocessing.console import answer, say
from data_preprocessing.difference import save_difference
from data_preprocessing.errors import DataError, Rejected, Unavailable
from data_preprocessing.params import load_params
from data_preprocessing.raw import fetch_raw
from data_preprocessing.runs import build_failed_run, build_run
from data_preprocessing.settings import Settings
from data_preprocessing.store import isolate, open_project, pull_version, push_outputs, reproduce
from data_preprocessing.tables import count_rows
from data_preprocessing.tracker import Tracker
from data_preprocessing.versions import (
    find_previous,
    name_version,
    publish_version,
    read_outputs,
    read_version_tag,
    tag_of,
    write_message,
)

# Exit codes: 1 ends the task for good, any other failure is tried again.
DONE, REJECTED, UNAVAILABLE, BUG = 0, 1, 75, 70


class Task:
    """One run of the task in a scratch folder, with MLflow's client starting beside it."""

    def __init__(self, settings: Settings, scratch: Path, tracker: Tracker) -> None:
        self.settings = settings
        self.tracker = tracker
        self.scratch = scratch
        self.clone = scratch / "clone"
        self._started = time.monotonic()

    def run(self) -> dict:
        """Return the task's result; raise DataError when there is none."""
        self.report("start")
        git.clone(self.settings.repository, self.clone)
        wanted = self.settings.data_version
        return self.restore(wanted) if wanted else self.make()

    def make(self) -> dict:
        """Make the data version of the data commit from the raw data."""
        commit = self.settings.data_commit
        git.check_out(self.clone, commit, self.settings.repository)
        self.report(f"checked out {commit[:12]}")
        try:
            self.build()
        except Rejected as error:
            self.log_failure(error)
            raise
        version = name_version(read_outputs(self.clone))
        rows = count_rows(self.clone)
        run_id = self.describe(version)
        message = write_message(version, commit, rows, load_params(self.clone / layout.PARAMS))
        outcome = publish_version(self.clone, version, message)
        self.report(f"tag {tag_of(version)} {outcome}")
        detail = f"{tag_of(version)} {outcome}: {rows['train']} rows to train, {rows['test']} to test."
        return self.answer(version, commit, rows, run_id, detail)

    def build(self) -> None:
        """Fetch the raw data, run the pipeline and store its outputs."""
        fetch_raw(load_params(self.clone / layout.PARAMS).raw, self.clone)
        self.report("raw data fetched")
        with self.open(self.clone) as project:
            reproduce(project)
            self.report("dvc repro done")
            new = push_outputs(project, self.settings.dvc_remote_url)
            self.report(f"dvc push done, {new} files new")

    def restore(self, data_version: str) -> dict:
        """Take a data version back from its tag and the store; the raw data is not needed."""
        version = read_version_tag(self.clone, data_version, self.settings.repository)
        self.pull(self.clone, version.commit)
        rows = count_rows(self.clone)
        run_id = self.tracker.find_run(version.name)
        detail = f"{tag_of(version.name)} restored: {rows['train']} rows to train, {rows['test']} to test."
        return self.answer(version.name, version.data_commit, rows, run_id, detail)

    def pull(self, folder: Path, commit: str) -> None:
        """Check out a tagged commit and bring its outputs back, checked by their hashes."""
        git.check_out(folder, commit, self.settings.repository)
        with self.open(folder) as project:
            found = pull_version(project, self.settings.dvc_remote_url)
        self.report(f"pulled and checked {tag_of(found)}")

    def describe(self, version: str) -> str:
        """Return the MLflow run that describes the version, logging it unless that was done before."""
        run_id = self.tracker.find_run(version)
        self.report("MLflow answers")
        if run_id is None:
            self.compare(version)
            run_id = self.tracker.log_run(build_run(self.settings, self.clone, version))
            self.report("logged to MLflow")
        return run_id

    def compare(self, version: str) -> None:
        """Write the difference to the previous version; a previous one that is gone costs only that."""
        previous = find_previous(self.clone, version)
        if previous is None:
            return
        folder = self.scratch / "previous"
        try:
            git.add_worktree(self.clone, folder, previous)
            self.pull(folder, previous)
            save_difference(folder, self.clone, previous)
        except (DataError, OSError, KeyError) as error:
            say(f"no difference to {previous}: {error}")

    def log_failure(self, error: Rejected) -> None:
        """Log the validation report; MLflow being away must not hide the reason."""
        try:
            self.tracker.log_run(build_failed_run(self.settings, self.clone, str(error)))
        except Unavailable as other:
            say(f"the report is not in MLflow: {other}")

    def open(self, folder: Path):
        """Open the DVC project in the folder; every project of this task shares one cache."""
        return open_project(folder, self.settings.dvc_remote_url, self.scratch / "cache")

    def report(self, event: str) -> None:
        """Print an event and the seconds since the start."""
        say(f"{time.monotonic() - self._started:5.1f} s  {event}")

    def answer(self, version: str, commit: str, rows: dict, run_id: str | None, detail: str) -> dict:
        """Return the result of the task."""
        return {
            "state": "passed",
            "detail": detail,
            "data_version": version,
            "data_commit": commit,
            "rows": rows,
            "mlflow_run_id": run_id,
        }


def main() -> int:
    """Run the task, print its result as the last line and return the exit code."""
    _on_stop(_stop)
    try:
        settings = Settings.from_env()
        with (
            tempfile.TemporaryDirectory(prefix="data-") as scratch,
            isolate(Path(scratch)),
            Tracker(settings.mlflow_tracking_uri) as tracker,
        ):
            result = Task(settings, Path(scratch), tracker).run()
    except Rejected as error:
        return _fail(REJECTED, str(error))
    except Unavailable as error:
        return _fail(UNAVAILABLE, str(error))
    except Exception as error:
        traceback.print_exc()
        return _fail(BUG, f"The task broke down ({type(error).__name__}: {error}): see the log above.")
    answer(result)
    return DONE


def _fail(code: int, detail: str) -> int:
    answer({"state": "failed", "detail": detail})
    return code


def _stop(number: int, _: object) -> None:
    """End the stages, then this process: leaving its `with` blocks removes the scratch folder."""
    _on_stop(signal.SIG_IGN)
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    sys.exit(128 + number)


def _on_stop(handler) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
