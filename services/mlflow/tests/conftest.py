"""One MLflow server as the docker driver starts it, with SQLite for MySQL and moto for S3."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

PASSWORDS = {"admin": "a" * 24, "loop": "l" * 24, "serving": "s" * 24}
DEADLINE = 120  # seconds that a start may take, other suites beside it
KEYS = {"AWS_ACCESS_KEY_ID": "mlflow", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Server:
    """An MLflow server in a process group of its own."""

    def __init__(self, folder: Path, s3: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {f"MLFLOW_{name.upper()}_PASSWORD": text for name, text in PASSWORDS.items()} | {
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db",
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://mlflow/artifacts",
            "MLFLOW_S3_ENDPOINT_URL": s3,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **KEYS,
        }
        self.log = folder / "server.log"
        options = f"server --app-name sandbox --workers 1 --host 127.0.0.1 --port {self.port}"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *options.split()],
                env=plain_environment() | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def ask(self, login: str | None, method: str, path: str, **options: object) -> requests.Response:
        """One request; `login` None sends none."""
        auth = (login, PASSWORDS[login]) if login else None
        return requests.request(
            method, self.url + path, auth=auth, timeout=30, allow_redirects=False, **options
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def _wait(self) -> None:
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if requests.get(f"{self.url}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        pytest.fail(f"MLflow did not start:\n{self.log.read_text()[-3000:]}")


def plain_environment() -> dict[str, str]:
    """The environment of the tests without settings that somebody has for a server of their own."""
    return {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_"))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    host, port = s3.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.create_bucket(Bucket="mlflow")
    running = Server(tmp_path_factory.mktemp("mlflow"), url)
    yield running
    running.stop()
    s3.stop()


@pytest.fixture
def as_loop(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """MLflow's own client in this process, logged in as `loop`."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "loop")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS["loop"])
    return server
