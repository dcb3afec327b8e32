"""Real data, a real DVC repository and a real MLflow store, all in temporary folders."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from builders import FROZEN_PARAMS, IRIS, data_version, git, iris_frame, write_folder
from model_training import __main__ as task
from model_training import local
from model_training.dataset import Dataset, read_dataset
from model_training.params import Params
from model_training.settings import CLIENT_ENVIRONMENT, Settings


@pytest.fixture(autouse=True)
def _private_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no user's Git or DVC configuration, no state outside the test's folders."""
    home = str(tmp_path_factory.getbasetemp())
    monkeypatch.setattr(tempfile, "tempdir", home)
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, home)
    # The store of files needs no database; it is the one MLflow store without a further dependency.
    for name, value in {
        **CLIENT_ENVIRONMENT,
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "DVC_NO_ANALYTICS": "1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def iris_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Iris, every fifth flower kept for the test."""
    frame, held = iris_frame(), pd.Series(range(150)) % 5 == 0
    return write_folder(tmp_path_factory.mktemp("iris"), frame[~held], frame[held], IRIS)


@pytest.fixture(scope="session")
def iris(iris_folder: Path) -> Dataset:
    """Iris, read."""
    return read_dataset(iris_folder)


@pytest.fixture
def params() -> Params:
    """What a small logistic regression on iris needs."""
    return Params("iris", "logistic_regression", 42, {"max_iter": 1000})


@pytest.fixture
def frozen_params(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands read the tests' own params.yaml, not the project's."""
    for module in (local, task):
        monkeypatch.setattr(module, "PARAMS_FILE", FROZEN_PARAMS)


@dataclass(frozen=True)
class DataProject:
    """A bare data repository, the DVC remote beside it, and the version both hold."""

    root: Path
    version: str

    @property
    def remote(self) -> Path:
        return self.root / "store"

    def copy(self, root: Path) -> "DataProject":
        """One that a test may damage."""
        return DataProject(Path(shutil.copytree(self.root, root)), self.version)


@pytest.fixture(scope="session")
def data_project(tmp_path_factory: pytest.TempPathFactory, iris_folder: Path) -> DataProject:
    """Iris as a DVC project: pushed, locked and tagged; its remote is named but has no address."""
    from dvc.repo import Repo

    root = tmp_path_factory.mktemp("origin")
    work = root / "work"
    shutil.copytree(iris_folder, work / "data/processed")
    git(work, "init", "--quiet", "--initial-branch=main")
    outputs = [f"data/processed/{name}" for name in ("train.parquet", "test.parquet", "schema.json")]
    local = {"core": {"remote": "store"}, "remote": {"store": {"url": str(root / "store")}}}
    Repo.init(str(work)).close()
    (work / ".dvc/config").write_text("[core]\n    remote = store\n")
    # DVC places a stage in the current folder.
    with pytest.MonkeyPatch.context() as patch, Repo(str(work), config=local) as repo:
        patch.chdir(work)
        repo.stage.add(name="split", cmd="true", outs=outputs)
        repo.commit(force=True)
        repo.push()
    version = data_version(work / "dvc.lock")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message=data")
    git(work, "tag", "--annotate", f"DV_{version}", "--message=data")
    git(root, "clone", "--quiet", "--bare", str(work), "data_preprocessing.git")
    return DataProject(root, version)


@pytest.fixture
def environment(data_project: DataProject, tmp_path: Path) -> dict[str, str]:
    """What a train task gets from its scheduler."""
    return {
        "GIT_URL": data_project.root.as_uri(),
        "DVC_REMOTE_URL": data_project.remote.as_uri(),
        "MLFLOW_TRACKING_URI": (tmp_path / "mlflow").as_uri(),
        "DATA_VERSION": data_project.version,
        "DATA_COMMIT": "d" * 40,
        "CODE_COMMIT": "c" * 40,
        "DAG_COMMIT": "a" * 40,
        "LOOP_RUN_ID": "manual-1",
        "IMAGE": "env:sha256:" + "1" * 64,
        "BUILD_URL": "http://ci.localhost/7",
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The same, read."""
    return Settings.from_env(environment)


@pytest.fixture
def set_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Put variables into the environment of this process for one test."""

    def put(values: dict[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setitem(os.environ, name, value)

    return put
