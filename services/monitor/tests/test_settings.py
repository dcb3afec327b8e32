"""What the environment must say, and a real start."""

import os
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

from monitor.errors import SettingsError
from monitor.settings import Settings

GOOD = {
    "MONITOR_HOME": "home",
    "AIRFLOW_URL": "http://127.0.0.1:1",
    "AIRFLOW_USER": "loop",
    "AIRFLOW_PASSWORD": "airflow-secret",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:1/",
    "STATUS_URL": "http://127.0.0.1:1/api/v1",
    "GIT_URL": "file:///nowhere",
    "ORGANISATION": "mlops",
    "REPOSITORIES": "a b",
    "CELEBRATE_ACCURACY": "0.97",
}


def test_settings_from_the_environment():
    settings = Settings.from_env(GOOD)
    assert (settings.port, settings.poll_seconds, settings.celebrate) == (8813, 10.0, 0.97)
    assert settings.repositories == ("a", "b")
    assert settings.mlflow_url == "http://127.0.0.1:1"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "") for name in GOOD),
        ("AIRFLOW_URL", "airflow:8080"),
        ("CELEBRATE_ACCURACY", "high"),
        ("MONITOR_PORT", "70000"),
        ("MONITOR_POLL_SECONDS", "0"),
        ("ALERTMANAGER_URL", "alertmanager"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name, value):
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(GOOD | {name: value})


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def start(folder, **changed):
    command = [sys.executable, "-W", "error", "-m", "monitor.cli"]
    environment = {"PATH": os.environ["PATH"], **GOOD, "MONITOR_HOME": str(folder), **changed}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_it_serves_until_it_is_asked_to_end(tmp_path, port):
    with start(tmp_path, MONITOR_PORT=port) as process:
        lines = iter(process.stderr.readline, "")
        assert next(line for line in lines if "is away" in line)
        with urlopen(f"http://127.0.0.1:{port}/health") as answer:
            assert answer.status == 200
        with start(tmp_path, MONITOR_PORT=port) as second:
            assert "(MONITOR_PORT)" in second.communicate()[1]
            assert second.returncode == 1
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def test_a_start_without_settings_says_what_is_missing(tmp_path):
    with start(tmp_path, GIT_URL="") as process:
        said = process.communicate()[1]
    assert (process.returncode, said) == (
        1,
        "monitor: GIT_URL is not set. Set it in the environment of the monitor.\n",
    )
