"""Every setting of the service, read from the environment once."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from prediction_api.access import parse_tokens
from prediction_api.errors import SettingsError

#: What the prediction log can be kept in.
DATABASES = ("sqlite:///", "mysql+pymysql://")

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Settings:
    """What one instance of the service is told from outside."""

    home: Path
    mlflow_url: str
    mlflow_user: str = ""
    mlflow_password: str = field(default="", repr=False)
    model_name: str = ""
    model_pin: str = ""
    host: str = "127.0.0.1"
    port: int = 8801
    workers: int = 1
    poll_seconds: float = 2.0
    max_bytes: int = 1_048_576
    max_rows: int = 1_000
    keep_models: int = 3
    prediction_log: bool = True
    #: Where it is, in SQLAlchemy's form; empty: a SQLite file in `home`.
    prediction_log_url: str = field(default="", repr=False)
    prediction_log_days: float = 30.0
    masked_columns: frozenset[str] = frozenset()
    body_seconds: float = 30.0
    #: Token by name of whoever may ask; empty where nobody is asked.
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; SettingsError names the first variable that cannot be used."""
        environ = os.environ if environ is None else environ
        return cls(
            home=Path(_text(environ, "API_HOME")).absolute(),
            mlflow_url=_url(environ, "MLFLOW_TRACKING_URI"),
            mlflow_user=environ.get("MLFLOW_TRACKING_USERNAME", ""),
            mlflow_password=environ.get("MLFLOW_TRACKING_PASSWORD", ""),
            model_name=environ.get("MODEL_NAME", "").strip(),
            model_pin=_pin(environ),
            host=environ.get("API_HOST", "").strip() or cls.host,
            port=_number(environ, "API_PORT", cls.port, int, 1, 65_535),
            workers=_number(environ, "API_WORKERS", cls.workers, int, 1, 64),
            poll_seconds=_number(environ, "API_POLL_SECONDS", cls.poll_seconds, float, 0.1, 3_600),
            max_bytes=_number(environ, "API_MAX_BYTES", cls.max_bytes, int, 1, 1 << 30),
            max_rows=_number(environ, "API_MAX_ROWS", cls.max_rows, int, 1, 1_000_000),
            body_seconds=_number(environ, "API_BODY_SECONDS", cls.body_seconds, float, 0.2, 3_600),
            keep_models=_number(environ, "API_KEEP_MODELS", cls.keep_models, int, 1, 1_000),
            prediction_log=_switch(environ, "PREDICTION_LOG", cls.prediction_log),
            prediction_log_url=_database(environ, "PREDICTION_LOG_URL"),
            prediction_log_days=_number(
                environ, "PREDICTION_LOG_DAYS", cls.prediction_log_days, float, 0.0001, 36_500
            ),
            masked_columns=_names(environ, "MASKED_COLUMNS"),
            tokens=parse_tokens(environ.get("API_TOKENS", "")),
        )

    @property
    def metrics_folder(self) -> Path:
        """Where the workers share their counts; prometheus_client's multiprocess mode."""
        return self.home / "metrics"

    @property
    def workers_folder(self) -> Path:
        """Where every worker says which version it serves."""
        return self.home / "workers"

    @property
    def models_folder(self) -> Path:
        """Where the checksummed copies of served models lie."""
        return self.home / "models"


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set; README.md of prediction-api lists the settings.")
    return value


def _url(environ: Mapping[str, str], name: str) -> str:
    value = _text(environ, name).rstrip("/")
    if urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).netloc:
        raise SettingsError(f"{name} must be an http or https address such as http://127.0.0.1:5000.")
    return value


def _pin(environ: Mapping[str, str]) -> str:
    value = environ.get("MODEL_PIN", "").strip()
    if value.isdigit() and not environ.get("MODEL_NAME", "").strip():
        raise SettingsError(f"MODEL_PIN={value} needs MODEL_NAME: every model has a version of that number.")
    if value and not re.fullmatch(r"[1-9][0-9]{0,9}|[0-9a-f]{32}", value):
        raise SettingsError(f"MODEL_PIN={value!r} must be a version such as 3, or a run id of 32 hex digits.")
    return value


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = environ.get(name, "").strip()
    if text not in {"", "on", "off"}:
        raise SettingsError(f"{name}={text!r} must be on or off.")
    return text == "on" if text else default


def _database(environ: Mapping[str, str], name: str) -> str:
    # It may hold a password, so the message does not show it.
    value = environ.get(name, "").strip()
    if value and not value.startswith(DATABASES):
        raise SettingsError(f"{name} must begin with {' or '.join(DATABASES)}.")
    return value


def _names(environ: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, environ.get(name, "").split(","))))


def _number(
    environ: Mapping[str, str],
    name: str,
    default: Number,
    kind: Callable[[str], Number],
    low: float,
    high: float,
) -> Number:
    text = environ.get(name, "").strip()
    try:
        value = kind(text) if text else default
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise SettingsError(f"{name}={text!r} must be a number from {low:g} to {high:g}.")
    return value
