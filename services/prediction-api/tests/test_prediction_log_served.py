"""The prediction log of the real service: several workers, SIGTERM, a second start."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import models
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from servers import Api, Mlflow, wait_until


@pytest.fixture
def api(start_api: Callable[..., Api], mlflow_server: Mlflow, request: pytest.FixtureRequest) -> Api:
    """Two workers that serve a model of this test alone."""
    name = request.node.name
    mlflow_server.promote(name, mlflow_server.register(name, models.logistic()))
    api = start_api(API_WORKERS="2", MODEL_NAME=name)
    api.serves("1")
    return api


def logged(api: Api) -> list[str]:
    with closing(sqlite3.connect(api.home / "predictions.db")) as database:
        return [name for (name,) in database.execute("SELECT request_id FROM predictions ORDER BY entry")]


def metric(api: Api, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(api.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def tell(api: Api, request_id: str, label: Any) -> requests.Response:
    document = {"request_id": request_id, "labels": [label]}
    return requests.post(f"{api.url}/feedback", json=document, timeout=10)


def test_two_workers_write_one_log_and_either_answers_for_it(api: Api) -> None:
    ids = [api.predict().headers["X-Request-Id"] for _ in range(40)]
    wait_until("every row is written", lambda: len(logged(api)) == 40)
    assert sorted(logged(api)) == sorted(ids)
    for request_id in ids[:10]:
        assert tell(api, request_id, "setosa").json()["correct"] == 1
        assert api.get(f"/predictions/{request_id}").json()["answers"][0]["rows"][0]["correct"]
    assert metric(api, "prediction_api_log_rows_total", result="written") == 40
    assert metric(api, "prediction_api_feedback_total", result="correct") == 10
    wait_until("no row waits", lambda: metric(api, "prediction_api_log_queue_rows") == 0)
    routes = {"/feedback", "/predictions"}
    assert [metric(api, "prediction_api_requests_total", route=route) >= 10 for route in routes] == [True] * 2


def test_sigterm_writes_what_is_queued_and_the_next_start_keeps_it(api: Api) -> None:
    ids = [api.predict().headers["X-Request-Id"] for _ in range(20)]
    assert api.stop() == 0
    assert sorted(logged(api)) == sorted(ids)
    assert not api.lines("unexpected")
    api.start()
    wait_until("the API is ready", lambda: api.get("/ready").ok)
    answer = wait_until("the old request is shown", lambda: api.get(f"/predictions/{ids[0]}"))
    assert answer.json()["answers"][0]["rows"][0]["prediction"] == "setosa"


def test_a_database_that_others_hold_does_not_stop_the_end(api: Api) -> None:
    api.predict()
    wait_until("the table is there", lambda: len(logged(api)) == 1)
    with closing(sqlite3.connect(api.home / "predictions.db")) as database:
        database.execute("BEGIN IMMEDIATE")
        assert api.predict().ok
        assert api.stop() == 0
    assert len(logged(api)) == 1
    (said,) = api.lines("prediction-log")[-1:]
    assert said["message"] == "1 rows were not written before the end."
