"""KServe's V1 routes answer what /predict answers, by the name of the model."""

import json
from typing import Any

import pytest

from prediction_api.model import Model
from prediction_api.service import Service
from prediction_api.serving import COPY

ROWS = {"instances": [[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.8, 2.2]]}
MODEL_HEADERS = ("X-Model-Name", "X-Model-Version", "X-Git-Commit", "X-Data-Version")


@pytest.fixture
def serving(service: Service, iris_model: Model) -> Service:
    service.serving.swap(iris_model, COPY)
    return service


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize("body", [ROWS, {"instances": [[1, 2, 3]]}, {"instances": []}, [1], "x", None])
def test_a_prediction_is_that_of_predict(client: Any, body: Any) -> None:
    answers = [
        client.post(route, json=body, headers={"X-Request-Id": "same"})
        for route in ("/predict", "/v1/models/iris:predict")
    ]
    assert answers[0].data == answers[1].data
    assert answers[0].status_code == answers[1].status_code
    assert list(answers[0].headers) == list(answers[1].headers)


@pytest.mark.usefixtures("serving")
def test_the_model_says_that_it_is_ready(client: Any) -> None:
    assert client.get("/v1/models/iris").json == {"name": "iris", "ready": True}
    assert client.get("/v1/models").json == {"models": ["iris"]}


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    ("method", "route"),
    [("get", "/v1/models/wine"), ("post", "/v1/models/wine:predict"), ("get", "/v1/models/Iris")],
)
def test_another_name_is_not_found(client: Any, method: str, route: str) -> None:
    answer = getattr(client, method)(route, json=ROWS)
    document = json.loads(answer.data)
    assert (answer.status_code, document["type"]) == (404, "urn:prediction-api:no-such-model")
    assert document["detail"] == "The model that serves is iris."


@pytest.mark.usefixtures("serving")
def test_another_method_is_refused(client: Any) -> None:
    assert client.get("/v1/models/iris:predict").status_code == 405
    assert client.post("/v1/models/iris").status_code == 405


def test_without_a_model_nothing_is_ready(client: Any) -> None:
    assert client.get("/v1/models").json == {"models": []}
    assert client.get("/v1/models/iris").status_code == 503
    assert client.post("/v1/models/iris:predict", json=ROWS).status_code == 503


def test_predictions_of_both_routes_are_counted_and_logged(
    client: Any, serving: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    answer = client.post("/v1/models/iris:predict", json=ROWS)
    line = json.loads(capsys.readouterr().out)
    assert (line["route"], line["rows"]) == ("/v1/models/{name}:predict", 2)
    assert tuple(answer.headers[name] for name in MODEL_HEADERS) == serving.serving.model.labels
