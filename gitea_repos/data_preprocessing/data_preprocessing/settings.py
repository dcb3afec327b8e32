"""The only place that reads the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from data_preprocessing.errors import Rejected

REQUIRED = ("GIT_URL", "DATA_COMMIT", "DVC_REMOTE_URL", "MLFLOW_TRACKING_URI")
HEX_DIGITS = {"DATA_COMMIT": 40, "DATA_VERSION": 12}


@dataclass(frozen=True)
class Settings:
    """What the task `data` is asked to do, and where."""

    git_url: str
    dvc_remote_url: str
    mlflow_tracking_uri: str
    data_commit: str
    data_version: str | None
    loop_run_id: str
    build_url: str
    image: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings; raise Rejected naming every missing or malformed variable at once."""
        problems = [f"{name} is not set" for name in REQUIRED if not environ.get(name)]
        problems += [
            f"{name} is not {digits} hex digits"
            for name, digits in HEX_DIGITS.items()
            if environ.get(name) and not re.fullmatch(rf"[0-9a-f]{{{digits}}}", environ[name])
        ]
        if problems:
            raise Rejected("The environment is wrong: " + ", ".join(problems) + ".")
        return cls(
            git_url=environ["GIT_URL"].rstrip("/"),
            dvc_remote_url=environ["DVC_REMOTE_URL"],
            mlflow_tracking_uri=environ["MLFLOW_TRACKING_URI"],
            data_commit=environ["DATA_COMMIT"],
            data_version=environ.get("DATA_VERSION") or None,
            loop_run_id=environ.get("LOOP_RUN_ID", ""),
            build_url=environ.get("BUILD_URL", ""),
            image=environ.get("IMAGE", ""),
        )

    @property
    def repository(self) -> str:
        """The Git URL of this project."""
        return f"{self.git_url}/data_preprocessing.git"


def read_variable(name: str, purpose: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the variable's value; raise Rejected saying what it is for when it is not set."""
    if not environ.get(name):
        raise Rejected(f"{name} is not set: it must hold {purpose}.")
    return environ[name]


def extend_environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with the changes, for a child process."""
    return {**os.environ, **changes}
