"""A finished run stands for equal input alone, and no login of a URL is reported or logged."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from model_training.download import fetch
from model_training.errors import UnavailableError
from model_training.report import redact
from model_training.settings import PARAMS_FILE
from model_training.training import train

SECRET = "s3cret"
PROGRAM = """
import logging, sys
from model_training.errors import TrainingError
from model_training.report import run_task

URL = "https://me:s3cret@git.localhost/mlops"

def work():
    logging.getLogger("a.library").warning("cloning %s", URL)
    raise {error}(f"no way to {{URL}}")

sys.exit(run_task(work))
"""


class TrainsError(Exception):
    """Data were asked for: a training begins."""


def ask() -> Path:
    raise TrainsError


def test_a_finished_run_stands_for_equal_input_alone(settings, params, iris_folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.mlflow_tracking_uri)
    first = train(settings, params, lambda: iris_folder)
    other = train(replace(settings, code_commit="2" * 40), params, lambda: iris_folder)
    for changes in ({}, {"build_url": "http://ci.localhost/8"}):
        assert train(replace(settings, **changes), params, ask) == first, changes
    for changes in (
        {"code_commit": "1" * 40},
        {"data_commit": "1" * 40},
        {"dag_commit": "1" * 40},
        {"data_version": "1" * 12},
        {"image": "env:sha256:" + "2" * 64},
    ):
        with pytest.raises(TrainsError):
            train(replace(settings, **changes), params, ask)
    for result in (first, other):
        assert MlflowClient().get_run(result["mlflow_run_id"]).info.status == "FINISHED"


@pytest.mark.parametrize("error", ["TrainingError", "RuntimeError"])
def test_no_login_is_reported_or_logged(error):
    command = [sys.executable, "-c", PROGRAM.format(error=error)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PARAMS_FILE.parent, check=False)
    assert "no way to https://git.localhost/mlops" in json.loads(done.stdout)["detail"]
    assert "cloning https://git.localhost/mlops" in done.stderr
    assert ("Traceback" in done.stderr) == (error == "RuntimeError")
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("url", ["https://me:s3@cret@a.b/c", "https://s3cret@a.b/c", "https://a.b/c"])
def test_a_url_loses_its_login_and_nothing_else(url):
    assert redact(f"'{url}' of me@home") == "'https://a.b/c' of me@home"


def test_a_failed_download_names_no_password(settings, tmp_path):
    away = replace(settings, git_url=f"http://me:{SECRET}@127.0.0.1:9")
    with pytest.raises(UnavailableError) as caught:
        fetch(away, tmp_path)
    assert SECRET not in redact(str(caught.value))
