"""Real models, a real MLflow server and the real service."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import models
import pytest
from servers import Api, Mlflow, wait_until

from prediction_api.application import create_app
from prediction_api.loading import load
from prediction_api.model import Model
from prediction_api.service import Service
from prediction_api.settings import Settings


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """One MLflow server for all tests; a test that stops it starts it again."""
    server = Mlflow(tmp_path_factory.mktemp("mlflow"))
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("tests")
    yield server
    server.kill()


@pytest.fixture
def start_api(tmp_path: Path, mlflow_server: Mlflow) -> Iterator[Callable[..., Api]]:
    """Starts the service; whatever is still running at the end is killed."""
    started: list[Api] = []

    def start(name: str = "api", url: str = mlflow_server.url, **environ: str) -> Api:
        started.append(Api(tmp_path / name, url, **environ))
        wait_until("the API answers", lambda: started[-1].get("/health").ok)
        return started[-1]

    yield start
    for api in started:
        if api.process.poll() is None:
            api.kill()


@pytest.fixture(scope="session")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[[models.Trained], Path]:
    """Saves a model to a folder as MLflow would, without a server."""

    def save_model(trained: models.Trained) -> Path:
        folder = tmp_path_factory.mktemp("saved") / "model"
        mlflow.sklearn.save_model(path=str(folder), **trained.arguments())
        return folder

    return save_model


@pytest.fixture(scope="session")
def load_trained(save: Callable[[models.Trained], Path]) -> Callable[[models.Trained], Model]:
    """Saves a model and loads it as the service does."""
    return lambda trained: load(save(trained), models.identity("1"))


@pytest.fixture(scope="session")
def iris_model(load_trained: Callable[[models.Trained], Model]) -> Model:
    return load_trained(models.logistic())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, mlflow_url="http://127.0.0.1:9", max_bytes=10_000, max_rows=5)


@pytest.fixture
def service(settings: Settings) -> Service:
    """A service that follows nothing."""
    return Service(settings)


@pytest.fixture(params=["fast path", "Flask"])
def client(service: Service, request: pytest.FixtureRequest) -> Any:
    """Every test of the routes is of both ways to an answer."""
    return create_app(service, fast=request.param == "fast path").test_client()
