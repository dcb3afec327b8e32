"""No training-serving skew: a row through the API gets the label that the pipeline gives it without one.

Each scenario's model, trained by the entry point of `model_training` in a process of its own; all rows.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import models
import pytest

from prediction_api.application import create_app
from prediction_api.loading import load
from prediction_api.service import Service
from prediction_api.serving import COPY
from prediction_api.settings import Settings

ROOT = Path(__file__).parents[3]
SOURCES = ("scripts", "gitea_repos/model_training")
QUIET = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}


@pytest.fixture(scope="module", params=["iris", "heart", "sentiment"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and rows.json."""
    folder = tmp_path_factory.mktemp(request.param)
    path = os.pathsep.join(str(ROOT / source) for source in SOURCES)
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests/skew_model.py"), request.param, str(folder)]
    done = subprocess.run(
        command, env=os.environ | QUIET | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def whole_as_fractions(value: Any) -> Any:
    """Many a client knows one kind of number: 3 comes as 3.0."""
    return float(value) if type(value) is int else value


def fractions_as_whole(value: Any) -> Any:
    """And JavaScript spells 3.0 as 3."""
    return int(value) if type(value) is float and value.is_integer() else value


FORMS = {
    "as they are": lambda row: row,
    "3 as 3.0": lambda row: {name: whole_as_fractions(value) for name, value in row.items()},
    "3.0 as 3": lambda row: {name: fractions_as_whole(value) for name, value in row.items()},
    "columns in another order": lambda row: dict(reversed(row.items())),
    "empty columns left out": lambda row: {n: v for n, v in row.items() if v is not None},
    "as lists": lambda row: [*row.values()],
}


def test_a_row_through_the_api_equals_the_row_through_the_pipeline(trained: Path, tmp_path: Path) -> None:
    known = json.loads((trained / "rows.json").read_text())
    rows, labels = known["instances"], known["predictions"]
    service = Service(
        Settings(home=tmp_path, mlflow_url="http://127.0.0.1:9", max_bytes=10**7, max_rows=10**4)
    )
    service.serving.swap(load(trained / "model", models.identity("1")), COPY)
    clients = {fast: create_app(service, fast=fast).test_client() for fast in (True, False)}
    for form, reform in FORMS.items():
        body = {"instances": [reform(row) for row in rows]}
        for fast, client in clients.items():
            answer = client.post("/predict", json=body)
            assert answer.status_code == 200, (form, fast, answer.json)
            assert answer.json["predictions"] == labels, (form, fast)
    alone = [clients[True].post("/predict", json=row).json["predictions"] for row in rows[:50]]
    assert alone == [[label] for label in labels[:50]]
    assert len(set(labels)) > 1
