"""The environment, read in this module alone."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from model_training.errors import TrainingError

PARAMS_FILE = Path(__file__).resolve().parents[1] / "params.yaml"

# One word of environment per field, and what a value must look like.
REQUIRED = {
    "GIT_URL": r".+",
    "DVC_REMOTE_URL": r".+",
    "MLFLOW_TRACKING_URI": r"\S+",
    "DATA_VERSION": r"[0-9a-f]{12}",
    "DATA_COMMIT": r"[0-9a-f]{40}",
    "CODE_COMMIT": r"[0-9a-f]{40}",
    "DAG_COMMIT": r"[0-9a-f]{40}",
    "LOOP_RUN_ID": r"[\w.:+~-]+",
    "IMAGE": r"\S+",
    "API_URL": r"https?://\S+",
    "DRIFT_PSI": r"\d+(\.\d+)?",
    "DRIFT_WINDOW_HOURS": r"\d+(\.\d+)?",
    "DRIFT_LEAST_ROWS": r"[1-9]\d*",
}

CLIENT_ENVIRONMENT = {
    # Seven tries and two minutes each are the defaults; a task is retried by its scheduler instead.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # A presigned download names the object store's own host, which this process may not reach.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The image has no git program and needs none.
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class DataSource:
    """Which version of the data, and where it is."""

    git_url: str
    dvc_remote_url: str
    data_version: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read every field; raise TrainingError naming all that are missing or malformed."""
        return cls(**_required([field.name for field in fields(cls)], env))

    @property
    def data_tag(self) -> str:
        """The Git tag of the data version."""
        return f"DV_{self.data_version}"

    @property
    def data_repository(self) -> str:
        """The URL of the Git repository that holds the data's dvc.lock."""
        return f"{self.git_url.rstrip('/')}/data_preprocessing.git"


@dataclass(frozen=True)
class Settings(DataSource):
    """What one training task is told from outside."""

    mlflow_tracking_uri: str
    data_commit: str
    code_commit: str
    dag_commit: str
    loop_run_id: str
    image: str
    build_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read every setting; raise TrainingError naming all that are missing or malformed."""
        names = [field.name for field in fields(cls) if field.name != "build_url"]
        return cls(**_required(names, env), build_url=env.get("BUILD_URL", ""))

    @property
    def tags(self) -> dict[str, str]:
        """Where a model comes from, as tags of its MLflow run."""
        names = ("code_commit", "data_commit", "dag_commit", "data_version", "image", "loop_run_id")
        return {
            **{name: getattr(self, name) for name in names},
            "build": self.build_url,
            # MLflow would guess these from the folder it runs in.
            "mlflow.source.name": "model_training",
            "mlflow.source.git.commit": self.code_commit,
        }


@dataclass(frozen=True)
class DriftSettings:
    """What one drift task is told from outside; `api_token` is empty where the API asks for none."""

    api_url: str
    api_token: str
    git_url: str
    dvc_remote_url: str
    mlflow_tracking_uri: str
    loop_run_id: str
    drift_psi: float
    drift_window_hours: float
    drift_least_rows: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read every setting; raise TrainingError naming all that are missing or malformed."""
        names = [field.name for field in fields(cls) if field.name != "api_token"]
        given: dict[str, Any] = _required(names, env)
        for name in ("drift_psi", "drift_window_hours"):
            given[name] = float(given[name])
        given["drift_least_rows"] = int(given["drift_least_rows"])
        return cls(**given, api_token=env.get("API_TOKEN", ""))


def prepare_mlflow(tracking_uri: str) -> None:
    """Point the MLflow client at the server and bound its patience; call before importing mlflow."""
    os.environ["MLFLOW_TRACKING_URI"] = tracking_uri
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def private_environment(folder: Path, data_version: str = "") -> dict[str, str]:
    """The environment of a child whose DVC reads no configuration and leaves no state outside `folder`.

    `data_version` is the one to fetch, where this process was not told it itself.
    """
    told = {"DATA_VERSION": data_version} if data_version else {}
    private = ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR", "TMPDIR")
    return {**os.environ, **told, **dict.fromkeys(private, str(folder)), "DVC_NO_ANALYTICS": "true"}


def _required(names: Sequence[str], env: Mapping[str, str]) -> dict[str, str]:
    keys = [name.upper() for name in names]
    wrong = [key for key in keys if not re.fullmatch(REQUIRED[key], env.get(key, ""))]
    if wrong:
        raise TrainingError(f"Set these environment variables of the task: {', '.join(map(_expect, wrong))}.")
    return {name: env[name.upper()] for name in names}


def _expect(name: str) -> str:
    return name if REQUIRED[name] in (r"\S+", r".+") else f"{name} (form {REQUIRED[name]})"
