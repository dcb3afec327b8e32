"""Settings from the environment: the keys of loop.env and the machine's own. Nothing else reads it."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from pathlib import Path

from loop.errors import Failure

LOOP_KEYS = frozenset(
    {
        *("ORGANISATION", "GIT_URL", "STATUS_URL", "STATUS_USER", "STATUS_TOKEN"),
        *("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD", "MLFLOW_TRACKING_URI", "API_URL", "API_TOKEN"),
        *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
        *("DATA_URL", "RAW_DATABASE_URL", "DVC_REMOTE_URL", "IMAGE_STORE"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "AWS_REGION"),
        *("TASK_RUNTIME", "TASK_MEMORY", "TASK_CPUS", "PROMOTION", "LOOP_SCHEDULE", "KEEP_RUN_DAYS"),
        "DRIFT_SCHEDULE",
        *("AIRFLOW_WEB_URL", "MLFLOW_WEB_URL", "CI_WEB_URL", "API_WEB_URL"),
    }
)

PROXY_KEYS = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"})

# What any process needs of its machine; without proxies and certificates, a company's network stops it.
BASE_KEYS = PROXY_KEYS | {
    *("PATH", "HOME", "LANG", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("PIP_CERT", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"),
}


@dataclass(frozen=True)
class Settings:
    """Where the loop's neighbours are; every field is the key of loop.env of the same name.

    Fields with a default may be missing: servers without logins have none.
    """

    organisation: str
    git_url: str = field(repr=False)
    status_url: str
    status_user: str
    status_token: str = field(repr=False)
    mlflow_tracking_uri: str
    api_url: str
    promotion: str
    airflow_web_url: str
    mlflow_web_url: str
    api_web_url: str
    mlflow_tracking_username: str = ""
    mlflow_tracking_password: str = field(default="", repr=False)
    api_token: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raises Failure that names every missing key at once."""
        values = {field.name: environ.get(field.name.upper(), "") for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if missing := sorted(name.upper() for name in needed if not values[name]):
            raise Failure(
                f"{', '.join(missing)} not set: start Airflow's processes with the keys of loop.env"
            )
        if values["promotion"] not in ("auto", "manual"):
            raise Failure(f"PROMOTION is {values['promotion']!r}: it must be auto or manual")
        addresses = {name for name in values if name.endswith(("_url", "_uri"))}
        return cls(
            **{name: value.rstrip("/") if name in addresses else value for name, value in values.items()}
        )

    def repository(self, name: str) -> str:
        """The Git address of a repository of the organisation."""
        return f"{self.git_url}/{name}.git"


def base_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every child process gets of this machine: paths, language, proxies, certificates."""
    return {key: value for key, value in environ.items() if key in BASE_KEYS or key.startswith("UV_")}


def loop_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The keys of loop.env that are set."""
    return {key: value for key, value in environ.items() if key in LOOP_KEYS}


def task_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a task's process: the machine's base and loop.env, nothing of Airflow's own."""
    return base_environment(environ) | loop_environment(environ)


def image_store(environ: Mapping[str, str] = os.environ) -> str:
    """Where images are; an empty string where that is not said."""
    return environ.get("IMAGE_STORE", "")


def container_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a task's container: loop.env and proxies.

    Paths, certificates included, are those of this machine: the container has its image's own.
    """
    proxies = {key: value for key, value in environ.items() if key in PROXY_KEYS}
    return proxies | loop_environment(environ)


def container_limits(environ: Mapping[str, str] = os.environ) -> tuple[str, float]:
    """TASK_MEMORY (bytes, or with a suffix: `2g`) and TASK_CPUS (a number) of a task's container.

    Raises Failure when one is missing or malformed.
    """
    memory, cpus = environ.get("TASK_MEMORY", ""), environ.get("TASK_CPUS", "")
    if not re.fullmatch(r"[1-9]\d*[bkmg]?", memory, re.IGNORECASE):
        raise Failure(f"TASK_MEMORY is {memory!r}: it must be an amount such as 2g")
    if not re.fullmatch(r"\d+(\.\d+)?", cpus) or not float(cpus):
        raise Failure(f"TASK_CPUS is {cpus!r}: it must be a number such as 2 or 0.5")
    return memory, float(cpus)


def schedule(default: str, environ: Mapping[str, str] = os.environ, key: str = "LOOP_SCHEDULE") -> str | None:
    """The schedule of that key, or `default` where the key is absent; an empty schedule is none."""
    return environ.get(key, default) or None


@dataclass(frozen=True)
class AirflowLogin:
    """Where Airflow's API is and who asks."""

    url: str
    user: str
    password: str = field(repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "AirflowLogin":
        """Read the login from the keys of loop.env; raises Failure that names what is missing."""
        return cls(**{each.name: _given(environ, f"AIRFLOW_{each.name.upper()}") for each in fields(cls)})


@dataclass(frozen=True)
class Retention:
    """How long Airflow keeps what has ended, where its logs are, and what its own command needs."""

    age: timedelta
    logs: Path
    airflow: str
    database: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Retention":
        """Read KEEP_RUN_DAYS and what Airflow's processes get; raises Failure that names what is wrong."""
        days = _given(environ, "KEEP_RUN_DAYS")
        if not re.fullmatch(r"\d+(\.\d+)?", days) or not float(days):
            raise Failure(f"KEEP_RUN_DAYS is {days!r}: it must be a number of days above 0")
        own = {key: value for key, value in environ.items() if key.startswith(("AIRFLOW_", "PYTHONPATH"))}
        database = _given(environ, "RETENTION_DATABASE")
        own |= dict.fromkeys((key for key in own if key.endswith("SQL_ALCHEMY_CONN")), database)
        return cls(
            age=timedelta(days=float(days)),
            logs=Path(_given(environ, "AIRFLOW__LOGGING__BASE_LOG_FOLDER")),
            airflow=str(Path(sys.executable).with_name("airflow")),
            database=database,
            environment=base_environment(environ) | own,
        )


def _given(environ: Mapping[str, str], key: str) -> str:
    if not environ.get(key):
        raise Failure(f"{key} is not set: start Airflow's processes with the sandbox's environment")
    return environ[key]
