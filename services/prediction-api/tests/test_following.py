"""The running service against a running MLflow server."""

import json
import os
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Any

import mlflow
import models
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from servers import IRIS, Api, Mlflow, wait_until

LABELS = {"1": "first", "2": "second"}
COMMIT = {"git_sha": "c" * 40, "data_version": "d" * 12}


@pytest.fixture
def name(mlflow_server: Mlflow) -> str:
    """A registered model of this test's own with two versions, the first one champion."""
    name = f"iris-{uuid.uuid4().hex[:8]}"
    for version, label in LABELS.items():
        assert mlflow_server.register(name, models.constant(label)) == version
    mlflow_server.promote(name, "1")
    return name


def value(api: Api, metric: str, /, **labels: str) -> float:
    families = text_string_to_metric_families(api.get("/metrics").text)
    found = [sample for family in families for sample in family.samples if sample.name == metric]
    return sum(sample.value for sample in found if sample.labels == labels)


class Load(threading.Thread):
    """A client that predicts without pause and keeps every answer."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self.answers: list[tuple[int, str, Any]] = []
        self._api, self._over = api, threading.Event()

    def run(self) -> None:
        with requests.Session() as session:
            while not self._over.is_set():
                answer = session.post(f"{self._api.url}/predict", json=[IRIS], timeout=10)
                self.answers.append((answer.status_code, answer.headers["X-Model-Version"], answer.json()))

    def stop(self) -> None:
        self._over.set()
        self.join()


def test_a_swap_fails_no_request_and_mixes_no_versions(
    start_api: Callable[..., Api], mlflow_server: Mlflow, name: str
) -> None:
    api = start_api(API_WORKERS="2", MODEL_NAME=name)
    assert api.serves("1")["source"] == "mlflow"
    clients = [Load(api) for _ in range(4)]
    for client in clients:
        client.start()
    for version in ("2", "1", "2"):
        mlflow_server.promote(name, version)
        api.serves(version)
    for client in clients:
        client.stop()
    answers = [answer for client in clients for answer in client.answers]
    assert {status for status, _, _ in answers} == {200}
    assert {version for _, version, _ in answers} == {"1", "2"}
    assert all(body == {"predictions": [LABELS[version]]} for _, version, body in answers)
    commit = {"name": name, "git_sha": "c" * 40, "data_version": "d" * 12}
    assert value(api, "prediction_api_model_info", role="champion", version="2", **commit) == 1
    assert value(api, "prediction_api_model_info", role="champion", version="1", **commit) == 0
    assert value(api, "prediction_api_rows_total") == len(answers)
    counted = [
        value(api, "prediction_api_predictions_total", model=name, version=v, label=LABELS[v]) for v in LABELS
    ]
    assert sum(counted) == len(answers)


def test_the_model_promoted_last_is_followed(
    start_api: Callable[..., Api], mlflow_server: Mlflow, name: str
) -> None:
    api = start_api()
    api.serves("1")
    other = f"heart-{name}"
    mlflow_server.register(other, models.mixed())
    mlflow_server.promote(other, "1")
    wait_until("the other model serves", lambda: api.get("/model").json()["name"] == other)
    mlflow_server.promote(name, "2")
    wait_until("the first model serves again", lambda: api.get("/model").json()["name"] == name)
    assert api.predict().json() == {"predictions": ["second"]}


def test_a_bad_champion_is_refused_and_the_old_one_keeps_serving(
    start_api: Callable[..., Api], mlflow_server: Mlflow, name: str
) -> None:
    api = start_api(MODEL_NAME=name)
    api.serves("1")
    bad = mlflow_server.register(name, models.spline())
    mlflow_server.promote(name, bad)
    refusal = wait_until("the champion is refused", lambda: api.get("/model").json()["last_refusal"])
    assert refusal["version"] == bad
    assert "scipy.interpolate._bsplines.BSpline" in refusal["reason"]
    assert api.predict().headers["X-Model-Version"] == "1"
    assert value(api, "prediction_api_swaps_total", result="refused") >= 1
    mlflow_server.promote(name, "2")
    assert api.serves("2")["last_refusal"] is None


def test_the_service_outlives_mlflow_and_starts_without_it(
    start_api: Callable[..., Api], mlflow_server: Mlflow, name: str
) -> None:
    api = start_api(MODEL_NAME=name)
    api.serves("1")
    mlflow_server.kill()
    try:
        wait_until("the outage is counted", lambda: value(api, "prediction_api_registry_errors_total") >= 2)
        assert api.predict().json() == {"predictions": ["first"]}
        assert len([line for line in api.lines("registry") if line["state"] == "away"]) == 1
        assert api.stop() == 0
        again = start_api(MODEL_NAME=name)
        assert again.serves("1")["source"] == "copy"
        assert again.predict().json() == {"predictions": ["first"]}
    finally:
        mlflow_server.start()
        mlflow_server.wait()
    mlflow_server.promote(name, "2")
    assert again.serves("2")["source"] == "mlflow"


def test_a_damaged_copy_is_refused_at_start_and_mended_by_mlflow(
    start_api: Callable[..., Api], name: str
) -> None:
    api = start_api(MODEL_NAME=name)
    api.serves("1")
    api.stop()
    (copy,) = api.home.glob("models/*/1/model/model.skops")
    copy.write_bytes(b"spoilt")
    again = start_api(MODEL_NAME=name)
    again.serves("1")
    assert "is damaged" in again.lines("refusal")[0]["message"]
    assert again.predict().json() == {"predictions": ["first"]}


def test_the_service_waits_for_its_first_model(start_api: Callable[..., Api], mlflow_server: Mlflow) -> None:
    name = f"late-{uuid.uuid4().hex[:8]}"
    api = start_api(MODEL_NAME=name)
    assert api.get("/ready").status_code == 503
    assert api.predict().headers["Retry-After"] == "1"
    mlflow_server.register(name, models.logistic())
    mlflow_server.promote(name, "1")
    api.serves("1")
    assert api.predict().json() == {"predictions": ["setosa"]}


def test_a_crashed_worker_is_replaced_and_forgotten(start_api: Callable[..., Api], name: str) -> None:
    api = start_api(API_WORKERS="2", MODEL_NAME=name)
    former = api.serves("1")["workers"]
    os.kill(former[0]["pid"], 9)

    def replaced() -> bool:
        workers = api.get("/model").json()["workers"]
        return (
            len(workers) == 2
            and former[0] not in workers
            and {worker["version"] for worker in workers} == {"1"}
        )

    wait_until("a new worker serves", replaced)
    alive = {str(worker["pid"]) for worker in api.get("/model").json()["workers"]}
    assert {path.stem.rpartition("_")[2] for path in api.home.glob("metrics/gauge_live*")} <= alive
    assert api.stop() == 0


def test_a_client_may_go_on_after_a_body_that_was_too_large(start_api: Callable[..., Api], name: str) -> None:
    api = start_api(MODEL_NAME=name, API_MAX_BYTES="1000")
    api.serves("1")
    with requests.Session() as session:
        for body in (b"[" * 5_000_000, json.dumps([IRIS])):
            answer = session.post(
                f"{api.url}/predict", data=body, headers={"Content-Type": "application/json"}, timeout=10
            )
    assert answer.json() == {"predictions": ["first"]}


def test_a_client_that_sends_slowly_stops_nobody(start_api: Callable[..., Api], name: str) -> None:
    api = start_api(MODEL_NAME=name)
    api.serves("1")
    port = int(api.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        assert api.predict().status_code == 200


def test_workers_leave_when_the_main_process_is_killed(start_api: Callable[..., Api], name: str) -> None:
    api = start_api(MODEL_NAME=name)
    api.serves("1")
    os.kill(api.process.pid, 9)
    api.process.wait()

    def gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(api.url.rpartition(":")[2]))) != 0

    wait_until("nobody listens", gone, 10)


def test_a_second_instance_does_not_take_the_folder_of_the_first(
    start_api: Callable[..., Api], name: str
) -> None:
    api = start_api(MODEL_NAME=name)
    second = Api(api.home, "http://127.0.0.1:9")
    assert second.process.wait(20) == 1
    assert "Another prediction-api uses API_HOME" in second.log.read_text()


def test_a_champion_without_its_alias_is_unloaded_and_forgotten(
    start_api: Callable[..., Api], mlflow_server: Mlflow, name: str
) -> None:
    api = start_api(API_WORKERS="2", MODEL_NAME=name)
    api.serves("1")
    mlflow.MlflowClient().delete_registered_model_alias(name, "champion")
    api.serves(None)
    assert api.predict().status_code == api.get("/ready").status_code == 503
    assert value(api, "prediction_api_model_info", role="champion", version="1", **COMMIT, name=name) == 0
    assert not (api.home / "models/current.json").exists()
    assert api.stop() == 0
    again = start_api(MODEL_NAME=name)
    assert again.predict().status_code == 503
    mlflow_server.promote(name, "1")
    assert again.serves("1")["source"] == "mlflow"


def test_a_refusal_is_forgotten_when_the_old_champion_is_put_back(
    start_api: Callable[..., Api], mlflow_server: Mlflow, name: str
) -> None:
    api = start_api(MODEL_NAME=name)
    api.serves("1")
    mlflow_server.promote(name, mlflow_server.register(name, models.spline()))
    wait_until("the champion is refused", lambda: api.get("/model").json()["last_refusal"])
    mlflow_server.promote(name, "1")
    wait_until("the refusal is forgotten", lambda: api.get("/model").json()["last_refusal"] is None)
