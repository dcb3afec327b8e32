"""The task's side of MLflow: a child process that imports MLflow while the pipeline runs.

That import takes longer than the pipeline, and MLflow's own output and threads stay out of this process.
One line of JSON goes in, one comes back (see tracking.py).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from data_preprocessing.console import redact
from data_preprocessing.errors import Unavailable
from data_preprocessing.settings import extend_environment

HOME = Path(__file__).parents[1]
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING", "GIT_PYTHON_REFRESH": "quiet"}
# Three retries after 1, 2 and 4 seconds; the defaults would keep a task waiting for minutes.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class Tracker:
    """A running child process; leaving the `with` block ends it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __enter__(self) -> "Tracker":
        self._child = subprocess.Popen(
            [sys.executable, "-m", "data_preprocessing.tracking"],
            cwd=HOME,
            env=extend_environment(**QUIET, **PATIENCE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def find_run(self, data_version: str) -> str | None:
        """Return the id of the finished run that describes a data version, or None."""
        return self._ask({"do": "find", "data_version": data_version})["run_id"]

    def log_run(self, run: dict) -> str:
        """Log a run (name, state, tags, params, metrics, files by artifact folder) and return its id."""
        return self._ask({"do": "log", **run})["run_id"]

    def _ask(self, question: dict) -> dict:
        """Return the child's answer; raise Unavailable with MLflow's reason, also when the child died."""
        # Both are pipes: __enter__ asks for them.
        questions, answers = cast(IO[str], self._child.stdin), cast(IO[str], self._child.stdout)
        try:
            questions.write(json.dumps(question) + "\n")
            questions.flush()
        except BrokenPipeError:
            pass
        line = answers.readline()
        reply = json.loads(line) if line else {"error": "its client ended without a word"}
        if "error" in reply:
            raise Unavailable(f"MLflow at {redact(self.uri)} does not take the run: {reply['error']}.")
        return reply
