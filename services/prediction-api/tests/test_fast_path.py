"""Both ways to an answer send the same bytes and headers, and log the same."""

import json
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from test_body import ACCEPTED, REFUSED

from prediction_api.application import create_app
from prediction_api.model import Model
from prediction_api.service import Service
from prediction_api.serving import COPY

BODIES = {name: json.dumps(body).encode() for name, body in ACCEPTED.items()}
BODIES |= {name: raw for name, (raw, _, _) in REFUSED.items()} | {"too large": b" " * 10_001}
#: What differs between two lines about the same request.
OF_THE_MOMENT = ("ts", "ms", "trace")


def both(
    service: Service,
    method: str,
    raw: bytes,
    media_type: str,
    path: str = "/predict",
    headers: tuple[tuple[str, str], ...] = (),
) -> list[tuple[str, list[Any], bytes, list[dict[str, Any]]]]:
    """Status, headers, body and log lines, by the fast path and by Flask."""
    answers = []
    for fast in (True, False):
        client = create_app(service, fast=fast).test_client()
        sent = [("X-Request-Id", "the-same"), *headers]
        with redirect_stdout(StringIO()) as out:
            answer = client.open(path, method=method, data=raw, content_type=media_type, headers=sent)
        answers.append((answer.status, list(answer.headers), answer.data, lines_of(out)))
    return answers


def lines_of(out: StringIO) -> list[dict[str, Any]]:
    """The log lines without what is never the same."""
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[-1]["event"] == "request"
    return [{key: line[key] for key in line if key not in OF_THE_MOMENT} for line in lines]


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
def test_every_body_has_one_answer(service: Service, iris_model: Model, raw: bytes) -> None:
    service.serving.swap(iris_model, COPY)
    fast, flask = both(service, "POST", raw, "application/json")
    assert fast == flask


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
def test_a_shortcut_changes_no_answer(service: Service, iris_model: Model, raw: bytes) -> None:
    assert iris_model.shortcut
    answers = []
    for model in (iris_model, replace(iris_model, shortcut=None)):
        service.serving.swap(model, COPY)
        answers += both(service, "POST", raw, "application/json")
    assert answers[0] == answers[1] == answers[2] == answers[3]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "post"])
def test_every_method_has_one_answer(service: Service, iris_model: Model, method: str) -> None:
    service.serving.swap(iris_model, COPY)
    fast, flask = both(service, method, b"[]", "application/json")
    assert fast == flask


@pytest.mark.parametrize("media_type", ["text/csv", "", "application/x+json"])
def test_every_media_type_has_one_answer(service: Service, iris_model: Model, media_type: str) -> None:
    service.serving.swap(iris_model, COPY)
    fast, flask = both(service, "POST", b"[[1, 2, 3, 4]]", media_type)
    assert fast == flask


@pytest.mark.parametrize("path", ["/predict/", "//predict", "/%70redict", "/predict?x=1", "/Predict"])
def test_every_path_has_one_answer(service: Service, iris_model: Model, path: str) -> None:
    service.serving.swap(iris_model, COPY)
    fast, flask = both(service, "POST", b"[[1, 2, 3, 4]]", "application/json", path)
    assert fast == flask


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_a_request_for_another_protocol_has_one_answer(
    service: Service, iris_model: Model, upgrade: str
) -> None:
    service.serving.swap(iris_model, COPY)
    headers = (("Connection", "Upgrade"), ("Upgrade", upgrade))
    fast, flask = both(service, "POST", b"[[1, 2, 3, 4]]", "application/json", headers=headers)
    assert fast == flask


def test_without_a_model_there_is_one_answer(service: Service) -> None:
    fast, flask = both(service, "POST", b"[[1, 2, 3, 4]]", "application/json")
    assert fast == flask
    assert fast[0].startswith("503")


def test_a_failure_nobody_foresaw_has_one_answer(
    service: Service, iris_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.serving.swap(iris_model, COPY)
    monkeypatch.setattr("prediction_api.answers.predict_body", lambda *_: 1 / 0)
    fast, flask = both(service, "POST", b"[[1, 2, 3, 4]]", "application/json")
    assert fast == flask
    assert fast[0].startswith("500")
