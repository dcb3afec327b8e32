"""The servers that the benchmark compares, one process each, and the MLflow that ours follows."""

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import psutil
import requests
from servers import Api, Mlflow, Process, free_port, plain_environment, wait_until

OURS, MLFLOW, EMPTY = "prediction-api", "mlflow models serve", "empty route"
#: Seconds that a server gets to start on a busy machine.
START_SECONDS = 300
HERE = Path(__file__).resolve().parent
PATH = f"{Path(sys.executable).parent}{os.pathsep}{plain_environment()['PATH']}"
#: One thread in the maths libraries, as the API sets it; mlflow looks for uvicorn on the PATH.
ENVIRON = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PATH": PATH}


@dataclass(frozen=True)
class Server:
    """Where a contestant answers POST requests, and its first process."""

    url: str
    pid: int

    def cpu(self) -> float:
        """CPU seconds that its processes have used so far."""
        main = psutil.Process(self.pid)
        used = [process.cpu_times() for process in (main, *main.children(recursive=True))]
        return sum(times.user + times.system for times in used)


def start_servers(trained: Any, model: Path, folder: Path, stack: ExitStack) -> dict[str, Server]:
    """Every contestant by its name, ready to answer; `stack` ends them."""
    return {
        OURS: _start_ours(trained, folder, stack),
        MLFLOW: _start_mlflow(model, folder, stack),
        EMPTY: _start_empty(folder, stack),
    }


def agree(servers: dict[str, Server], body: Path) -> None:
    """Ours and MLflow's must give the same labels, or there is nothing to compare.

    SystemExit where they differ, requests.HTTPError for an error answer.
    """
    headers = {"Content-Type": "application/json"}
    answers = [
        requests.post(servers[name].url, body.read_bytes(), headers=headers, timeout=60)
        for name in (OURS, MLFLOW)
    ]
    for answer in answers:
        answer.raise_for_status()
    if len({json.dumps(answer.json().get("predictions")) for answer in answers}) != 1:
        raise SystemExit(f"The servers disagree: {[answer.text[:300] for answer in answers]}")


def _start_ours(trained: Any, folder: Path, stack: ExitStack) -> Server:
    registry = Mlflow(folder)
    stack.callback(registry.kill)
    mlflow.set_tracking_uri(registry.url)
    registry.promote("iris", registry.register("iris", trained))
    api = Api(folder / "api", registry.url, API_POLL_SECONDS="2", **ENVIRON)
    return _ready(api, f"{api.url}/predict", f"{api.url}/ready", stack)


def _start_mlflow(model: Path, folder: Path, stack: ExitStack) -> Server:
    url = f"http://127.0.0.1:{(port := free_port())}"
    options = (
        f"models serve --env-manager local --host 127.0.0.1 --port {port} --workers 1 --model-uri {model}"
    )
    server = Process([sys.executable, "-m", "mlflow", *options.split()], ENVIRON, folder / "serve.log")
    return _ready(server, f"{url}/invocations", f"{url}/ping", stack)


def _start_empty(folder: Path, stack: ExitStack) -> Server:
    url = f"http://127.0.0.1:{(port := free_port())}/"
    argv = [sys.executable, str(HERE / "serving_empty.py"), str(port)]
    return _ready(Process(argv, ENVIRON, folder / "empty.log"), url, url, stack)


def _ready(process: Process, url: str, health: str, stack: ExitStack) -> Server:
    stack.callback(process.kill)
    wait_until(f"{health} answers", lambda: requests.get(health, timeout=5).ok, START_SECONDS)
    return Server(url, process.process.pid)
