"""The service starts, or says in one sentence why not."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from prediction_api.errors import SettingsError
from prediction_api.settings import Settings

GOOD = {"API_HOME": "home", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000/"}


def test_settings_have_safe_defaults() -> None:
    settings = Settings.from_env(GOOD)
    assert settings.host == "127.0.0.1"
    assert settings.mlflow_url == "http://127.0.0.1:5000"
    assert settings.home.is_absolute()


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Settings.from_env(GOOD | {"MLFLOW_TRACKING_PASSWORD": "secret"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_HOME", ""),
        ("MLFLOW_TRACKING_URI", " "),
        ("MLFLOW_TRACKING_URI", "file:///data"),
        ("API_PORT", "0"),
        ("API_PORT", "http"),
        ("API_WORKERS", "1.5"),
        ("API_POLL_SECONDS", "nan"),
        ("API_MAX_BYTES", "-1"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(GOOD | {name: value})


def start(**environ: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "prediction_api"]
    return subprocess.run(
        argv, env=os.environ | environ, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = start(**GOOD | {"API_HOME": str(tmp_path), "API_PORT": port})
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"port {port} cannot be listened on" in result.stderr


def test_a_missing_setting_is_one_sentence() -> None:
    result = start(API_HOME="", MLFLOW_TRACKING_URI="")
    assert result.returncode == 1
    assert result.stderr.startswith("prediction-api: API_HOME is not set;")
