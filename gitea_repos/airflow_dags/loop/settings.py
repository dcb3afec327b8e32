"""Settings from the environment: the keys of loop.env and the machine's own. Nothing else reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from loop.errors import Failure

LOOP_KEYS = frozenset(
    {
        *("ORGANISATION", "GIT_URL", "STATUS_URL", "STATUS_TOKEN"),
        *("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD", "MLFLOW_TRACKING_URI", "API_URL"),
        *("DATA_URL", "RAW_DATABASE_URL", "DVC_REMOTE_URL", "IMAGE_STORE"),
        *("TASK_RUNTIME", "PROMOTION", "LOOP_SCHEDULE"),
        *("AIRFLOW_WEB_URL", "MLFLOW_WEB_URL", "CI_WEB_URL", "API_WEB_URL"),
    }
)

# What any process needs of its machine; without proxies and certificates, a company's network stops it.
BASE_KEYS = frozenset(
    {
        *("PATH", "HOME", "LANG", "TMPDIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"),
    }
)


@dataclass(frozen=True)
class Settings:
    """Where the loop's neighbours are; every field is the key of loop.env of the same name."""

    organisation: str
    git_url: str
    status_url: str
    status_token: str
    mlflow_tracking_uri: str
    api_url: str
    promotion: str
    airflow_web_url: str
    mlflow_web_url: str
    api_web_url: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raises Failure that names every missing key at once."""
        values = {field.name: environ.get(field.name.upper(), "") for field in fields(cls)}
        if missing := sorted(name.upper() for name, value in values.items() if not value):
            raise Failure(
                f"{', '.join(missing)} not set: start Airflow's processes with the keys of loop.env"
            )
        if values["promotion"] not in ("auto", "manual"):
            raise Failure(f"PROMOTION is {values['promotion']!r}: it must be auto or manual")
        return cls(**{name: value.rstrip("/") for name, value in values.items()})

    def repository(self, name: str) -> str:
        """The Git address of a repository of the organisation."""
        return f"{self.git_url}/{name}.git"


def base_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every child process gets of this machine: paths, language, proxies, certificates."""
    return {key: value for key, value in environ.items() if key in BASE_KEYS or key.startswith("UV_")}


def task_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a task: the machine's base and loop.env, nothing of Airflow's own."""
    return base_environment(environ) | {key: environ[key] for key in LOOP_KEYS if key in environ}


def schedule(default: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """LOOP_SCHEDULE, or `default` where the key is absent; an empty schedule is none."""
    return environ.get("LOOP_SCHEDULE", default) or None
