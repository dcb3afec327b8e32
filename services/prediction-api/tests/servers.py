"""The servers of the tests: an MLflow server and the service, as processes."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import mlflow.sklearn
import models
import pytest
import requests

IRIS = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
DEADLINE = 90.0


def wait_until(what: str, ask: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """Ask until the answer is true; the failure says what was waited for and what was seen last."""
    until, seen = time.monotonic() + seconds, None
    while time.monotonic() < until:
        try:
            if seen := ask():
                return seen
        except requests.RequestException as error:
            seen = error
        time.sleep(0.05)
    pytest.fail(f"Waited {seconds:g} s until {what}; seen last: {seen!r}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def plain_environment() -> dict[str, str]:
    """The environment of the tests without settings that somebody has for a service of their own."""
    return {
        name: text for name, text in os.environ.items() if not name.startswith(("API_", "MLFLOW_", "MODEL_"))
    }


class Process:
    """A server in a process group of its own, with its log in a file."""

    def __init__(self, argv: list[str], environ: dict[str, str], log: Path) -> None:
        self.log = log
        self._argv, self._environ = argv, plain_environment() | environ
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                self._argv, env=self._environ, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> None:
        """End the whole group, as a crash of the machine would."""
        os.killpg(self.process.pid, 9)
        self.process.wait()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]


class Mlflow(Process):
    """An MLflow server with its own folder."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        options = f"server --host 127.0.0.1 --port {port} --workers 1 --serve-artifacts"
        store = [
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            f"{folder}/files",
        ]
        argv = [sys.executable, "-m", "mlflow", *options.split(), *store]
        super().__init__(argv, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, folder / "mlflow.log")
        try:
            self.wait()
        except BaseException:
            self.kill()  # nobody else knows of it yet
            raise

    def wait(self) -> None:
        wait_until("MLflow is healthy", lambda: requests.get(f"{self.url}/health", timeout=5).ok, 180)

    def register(self, name: str, trained: models.Trained) -> str:
        """Log and register a model as the loop does; returns the version."""
        with mlflow.start_run() as run:
            info = mlflow.sklearn.log_model(name="model", **trained.arguments())
        client, tags = mlflow.MlflowClient(), {"code_commit": "c" * 40, "data_version": "d" * 12}
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        return client.create_model_version(
            name, info.model_uri, run.info.run_id, tags=tags, model_id=info.model_id
        ).version

    def promote(self, name: str, version: str) -> None:
        """Move the alias as the loop does."""
        client = mlflow.MlflowClient()
        client.set_registered_model_alias(name, "champion", version)
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        client.set_registered_model_tag(name, "promoted_at", stamp)


class Api(Process):
    """The service as it runs in production."""

    def __init__(self, home: Path, mlflow_url: str, **environ: str) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        settings = {"API_HOME": str(home), "API_PORT": str(port), "MLFLOW_TRACKING_URI": mlflow_url}
        argv = [sys.executable, "-m", "prediction_api"]
        super().__init__(argv, settings | {"API_POLL_SECONDS": "0.2"} | environ, home.with_suffix(".log"))

    def get(self, route: str) -> requests.Response:
        return requests.get(self.url + route, timeout=10)

    def predict(self, instance: Any = IRIS) -> requests.Response:
        return requests.post(f"{self.url}/predict", json={"instances": [instance]}, timeout=10)

    def serves(self, version: str | None) -> dict[str, Any]:
        """Wait until every worker serves the version, None for nothing; returns what /model says."""

        def moved() -> Any:
            answer = self.get("/model").json()
            return answer if {worker["version"] for worker in answer["workers"]} == {version} else None

        return wait_until(f"every worker serves version {version}", moved)
