"""The environment, read in this module alone."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

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
class Settings:
    """What one training task is told from outside."""

    git_url: str
    dvc_remote_url: str
    mlflow_tracking_uri: str
    data_version: str
    data_commit: str
    code_commit: str
    dag_commit: str
    loop_run_id: str
    image: str
    build_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read every setting; raise TrainingError naming all that are missing or malformed."""
        wrong = [name for name, form in REQUIRED.items() if not re.fullmatch(form, env.get(name, ""))]
        if wrong:
            raise TrainingError(
                f"Set these environment variables of the train task: {', '.join(map(_expect, wrong))}."
            )
        return cls(**{name.lower(): env[name] for name in REQUIRED}, build_url=env.get("BUILD_URL", ""))

    @property
    def data_tag(self) -> str:
        """The Git tag of the data version."""
        return f"DV_{self.data_version}"

    @property
    def data_repository(self) -> str:
        """The URL of the Git repository that holds the data's dvc.lock."""
        return f"{self.git_url.rstrip('/')}/data_preprocessing.git"

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


def prepare_mlflow(tracking_uri: str) -> None:
    """Point the MLflow client at the server and bound its patience; call before importing mlflow."""
    os.environ["MLFLOW_TRACKING_URI"] = tracking_uri
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def private_environment(folder: Path) -> dict[str, str]:
    """The environment of a child whose DVC reads no configuration and leaves no state outside `folder`."""
    private = ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR", "TMPDIR")
    return {**os.environ, **dict.fromkeys(private, str(folder)), "DVC_NO_ANALYTICS": "true"}


def _expect(name: str) -> str:
    return name if REQUIRED[name] in (r"\S+", r".+") else f"{name} (form {REQUIRED[name]})"
