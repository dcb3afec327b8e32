"""The loop's neighbours, as small as they can be and still be real."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

# Airflow reads this when it is imported, and writes its logs there.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-dags-")

from loop.limits import Limits
from loop.run import Run
from loop.settings import LOOP_KEYS, Settings
from tests.neighbours import API, Repository, Server, Statuses
from tests.registry import Registry

# A build has the loop's addresses and logins in its environment, and the engine's; the tests have their own.
for key in (*LOOP_KEYS, "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
    os.environ.pop(key, None)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Server]]:
    """Starts HTTP servers that end with the test."""
    servers: list[Server] = []

    def start(answer: Any) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def statuses() -> Statuses:
    return Statuses()


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def api() -> API:
    return API()


@pytest.fixture
def run(
    serve: Callable[[Any], Server], statuses: Statuses, registry: Registry, api: API, tmp_path: Path
) -> Run:
    """A run whose neighbours are the fixtures of this file; waits are short."""
    answering = serve(api)
    answering.headers = {"X-Model-Name": "iris", "X-Model-Version": "1"}
    settings = Settings(
        organisation="mlops",
        git_url=f"file://{tmp_path}",
        status_url=f"{serve(statuses).address}/api/v1",
        status_user="loop",
        status_token="secret",
        mlflow_tracking_uri=serve(registry).address,
        api_url=answering.address,
        promotion="auto",
        airflow_web_url="http://airflow.invalid",
        mlflow_web_url="http://mlflow.invalid",
        api_web_url="http://api.invalid",
    )
    limits = Limits.read()
    waits = replace(limits.waits, ci=0, served=0.3, verified=0.1, every=0.02)
    return Run("train_and_serve", "manual-1", {}, "d" * 40, settings, replace(limits, waits=waits))


@pytest.fixture
def repository(tmp_path: Path) -> Callable[[str], Repository]:
    """Makes the bare repositories of the organisation."""
    return lambda name: Repository(tmp_path / f"{name}.git")
