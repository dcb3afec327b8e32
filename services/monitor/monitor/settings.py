"""Every setting of the service, read from the environment once."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from monitor.errors import SettingsError

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Settings:
    """What one monitor is told from outside; an empty address of Alertmanager: there is none."""

    home: Path
    airflow_url: str
    airflow_user: str
    airflow_password: str = field(repr=False)
    mlflow_url: str
    status_url: str
    git_url: str
    organisation: str
    repositories: tuple[str, ...]
    celebrate: float
    mlflow_user: str = ""
    mlflow_password: str = field(default="", repr=False)
    status_user: str = ""
    status_token: str = field(default="", repr=False)
    model_name: str = ""
    alertmanager_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8813
    poll_seconds: float = 10.0

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; SettingsError names the first variable that cannot be used."""
        environ = os.environ if environ is None else environ
        return cls(
            home=Path(_text(environ, "MONITOR_HOME")).absolute(),
            airflow_url=_url(environ, "AIRFLOW_URL"),
            airflow_user=_text(environ, "AIRFLOW_USER"),
            airflow_password=_text(environ, "AIRFLOW_PASSWORD"),
            mlflow_url=_url(environ, "MLFLOW_TRACKING_URI"),
            mlflow_user=environ.get("MLFLOW_TRACKING_USERNAME", ""),
            mlflow_password=environ.get("MLFLOW_TRACKING_PASSWORD", ""),
            status_url=_url(environ, "STATUS_URL"),
            status_user=environ.get("STATUS_USER", ""),
            status_token=environ.get("STATUS_TOKEN", ""),
            git_url=_text(environ, "GIT_URL").rstrip("/"),
            organisation=_text(environ, "ORGANISATION"),
            repositories=tuple(_text(environ, "REPOSITORIES").split()),
            celebrate=_number(environ, "CELEBRATE_ACCURACY", float, 0.0, 2.0),
            model_name=environ.get("MODEL_NAME", "").strip(),
            alertmanager_url=_url(environ, "ALERTMANAGER_URL") if environ.get("ALERTMANAGER_URL") else "",
            host=environ.get("MONITOR_HOST", "").strip() or cls.host,
            port=_number(environ, "MONITOR_PORT", int, 1, 65_535, cls.port),
            poll_seconds=_number(environ, "MONITOR_POLL_SECONDS", float, 0.1, 3_600, cls.poll_seconds),
        )


def _text(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name, "").strip():
        return value
    raise SettingsError(f"{name} is not set. Set it in the environment of the monitor.")


def _url(environ: Mapping[str, str], name: str) -> str:
    value = _text(environ, name)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{name} is {value!r}: it must be an http:// or https:// address.")
    return value.rstrip("/")


def _number(
    environ: Mapping[str, str],
    name: str,
    kind: Callable[[str], Number],
    least: Number,
    most: Number,
    default: Number | None = None,
) -> Number:
    text = environ.get(name, "").strip()
    if not text and default is not None:
        return default
    try:
        value = kind(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}: it must be a number.") from error
    if not least <= value <= most:
        raise SettingsError(f"{name} is {text}: it must be from {least} to {most}.")
    return value
