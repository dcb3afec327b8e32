"""The routes, their headers and their problem documents."""

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from prediction_api.model import Model
from prediction_api.service import Service
from prediction_api.serving import COPY

ROW = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
MODEL_HEADERS = ("X-Model-Name", "X-Model-Version", "X-Git-Commit", "X-Data-Version")


@pytest.fixture
def serving(service: Service, iris_model: Model) -> Service:
    service.serving.swap(iris_model, COPY)
    return service


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    document = json.loads(answer.data)
    assert document["status"] == status
    assert document["request_id"] == answer.headers["X-Request-Id"]
    assert {"type", "title", "detail"} <= set(document)
    return document


@pytest.mark.usefixtures("serving")
def test_predict_answers_labels_and_says_which_model_gave_them(client: Any, iris_model: Model) -> None:
    answer = client.post("/predict", json=ROW)
    assert answer.json == {"predictions": ["setosa"]}
    assert tuple(answer.headers[name] for name in MODEL_HEADERS) == iris_model.labels


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    ("method", "body"), [("post", "{"), ("post", "{}"), ("get", ""), ("post", "x" * 20_000)]
)
def test_every_answer_of_predict_names_the_model(
    client: Any, iris_model: Model, method: str, body: str
) -> None:
    answer = getattr(client, method)("/predict", data=body, content_type="application/json")
    assert answer.status_code in {400, 405, 413, 422}
    assert tuple(answer.headers[name] for name in MODEL_HEADERS) == iris_model.labels


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize("given", ["abc-1.2:3_x", "a" * 128])
def test_a_plain_request_id_is_kept(client: Any, given: str) -> None:
    assert client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize("given", ["", "a" * 129, 'a"b', "a b", "é", "<x>"])
def test_another_request_id_is_replaced(client: Any, given: str) -> None:
    made = client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert len(made) == 32
    assert made != given


def test_without_a_model_the_process_is_healthy_but_not_ready(client: Any) -> None:
    assert client.get("/health").json == {"status": "ok"}
    for answer in (client.get("/ready"), client.post("/predict", json=ROW), client.get("/model")):
        problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0


def test_without_a_model_the_gate_still_learns_what_is_servable(client: Any) -> None:
    servable = problem(client.get("/model"), 503)["servable"]
    assert set(servable["libraries"]) == {"python", "scikit-learn", "skops", "numpy"}
    assert "sklearn.tree._tree.Tree" in servable["types"]


@pytest.mark.usefixtures("serving")
def test_the_smoke_route_predicts_the_models_own_example(client: Any, iris_model: Model) -> None:
    expected = iris_model.predict([[row[name] for name in row] for row in iris_model.example])
    assert client.get("/smoke").json == {"predictions": expected}
    counted = client.get("/metrics").text
    assert "prediction_api_predictions_total{" not in counted
    assert 'prediction_api_requests_total{route="/smoke",status="200"} 1.0' in counted


def test_a_smoke_prediction_without_a_model_is_a_problem(client: Any) -> None:
    assert problem(client.get("/smoke"), 503)["type"].endswith(":no-model")


@pytest.mark.usefixtures("serving")
def test_model_describes_what_serves(client: Any, iris_model: Model) -> None:
    answer = client.get("/model").json
    identity = iris_model.identity
    assert (answer["name"], answer["version"], answer["git_sha"]) == (identity.name, "1", identity.git_sha)
    assert (answer["data_version"], answer["run_id"]) == (identity.data_version, identity.run_id)
    assert answer["source"] == "copy"
    assert answer["last_refusal"] is None
    assert answer["signature"][0] == {"name": "sepal_length", "type": "double", "required": True}
    assert [worker["version"] for worker in answer["workers"]] == ["1"]


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    "media_type", ["text/csv", "application/x-www-form-urlencoded", "", "applicationjson"]
)
def test_another_media_type_is_refused(client: Any, media_type: str) -> None:
    problem(client.post("/predict", data=json.dumps(ROW), content_type=media_type), 415)


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"]
)
def test_json_by_any_of_its_names_is_taken(client: Any, media_type: str) -> None:
    assert client.post("/predict", data=json.dumps(ROW), content_type=media_type).status_code == 200


@pytest.mark.usefixtures("serving")
def test_unknown_routes_and_methods_are_problems(client: Any) -> None:
    problem(client.get("/nothing"), 404)
    assert "POST" in problem(client.get("/predict"), 405)["detail"]
    assert "POST" in client.get("/predict").headers["Allow"]


@pytest.mark.usefixtures("serving")
def test_a_large_body_is_refused_and_the_connection_closed(client: Any) -> None:
    answer = client.post("/predict", data=b"[" * 10_001, content_type="application/json")
    problem(answer, 413)
    assert answer.headers["Connection"] == "close"


@pytest.mark.usefixtures("serving")
def test_a_failure_nobody_foresaw_is_a_problem_without_its_traceback(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("prediction_api.answers.predict_body", lambda *_: 1 / 0)
    document = problem(client.post("/predict", json=ROW), 500)
    assert "division" not in json.dumps(document)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["request_id"] for line in lines if line["event"] == "unexpected"] == [document["request_id"]]


@pytest.mark.usefixtures("serving")
def test_every_request_is_one_log_line(
    client: Any, iris_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    client.post("/predict", json={"instances": ROW["instances"] * 3}, headers={"X-Request-Id": "me"})
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert line.pop("ms") > 0
    assert line.pop("ts").endswith("+00:00")
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "me",
        "method": "POST",
        "route": "/predict",
        "role": "champion",
        "status": 200,
        "rows": 3,
        "model_version": "1",
        "git_sha": iris_model.identity.git_sha,
    }


def samples(client: Any, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    text = client.get("/metrics").data.decode()
    families = text_string_to_metric_families(text)
    found = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(sample.labels[label] for label in labels): sample.value for sample in found}


def test_predictions_are_counted_by_label(client: Any, serving: Service, iris_model: Model) -> None:
    client.post("/predict", json={"instances": [[5.1, 3.5, 1.4, 0.2]] * 2 + [[6.5, 3.0, 5.8, 2.2]]})
    counted = samples(client, "prediction_api_predictions_total", "model", "version", "label")
    assert counted == {("iris", "1", "setosa"): 2, ("iris", "1", "virginica"): 1}
    assert samples(client, "prediction_api_rows_total") == {(): 3}
    assert samples(client, "prediction_api_requests_total", "route", "status")["/predict", "200"] == 1
    names = ("name", "version", "git_sha", "data_version")
    assert samples(client, "prediction_api_model_info", *names) == {iris_model.labels: 1}
    assert serving.serving.model is iris_model


@pytest.mark.usefixtures("serving")
def test_paths_of_clients_do_not_become_labels(client: Any) -> None:
    for path in ("/a", '/b"c', "/predict/x"):
        client.get(path)
    assert samples(client, "prediction_api_requests_total", "route", "status") == {("other", "404"): 3}
