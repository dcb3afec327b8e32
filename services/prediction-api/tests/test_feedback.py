"""POST /feedback: the true labels of a request, counted by version."""

import threading
from typing import Any

import pytest

from prediction_api.model import Model
from prediction_api.prediction_log.feedback import same
from prediction_api.service import Service
from prediction_api.serving import COPY

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.8, 2.8, 4.8, 1.4]]
TOLD = "prediction_api_feedback_total"


@pytest.fixture
def request_id(service: Service, client: Any, iris_model: Model) -> str:
    """A request in the log, answered setosa and versicolor."""
    service.serving.swap(iris_model, COPY)
    answer = client.post("/predict", json={"instances": FLOWERS})
    assert service.log.writer.turn()
    return answer.headers["X-Request-Id"]


def tell(client: Any, request_id: Any, labels: Any, **more: Any) -> Any:
    return client.post("/feedback", json={"request_id": request_id, "labels": labels} | more)


def counts(service: Service) -> tuple[float, float]:
    """Rows correct and wrong of the version."""
    of = {"model": "iris", "version": "1"}
    values = [
        service.metrics._registry.get_sample_value(TOLD, of | {"result": result})
        for result in ("correct", "wrong")
    ]
    return values[0] or 0.0, values[1] or 0.0


def shown(client: Any, request_id: str) -> list[Any]:
    rows = client.get(f"/predictions/{request_id}").json["answers"][0]["rows"]
    return [(row.get("label"), row.get("correct")) for row in rows]


def test_truth_is_compared_with_the_prediction_and_counted(
    service: Service, client: Any, request_id: str
) -> None:
    answer = tell(client, request_id, ["setosa", "virginica"])
    assert answer.json == {
        "request_id": request_id, "model": "iris", "version": "1", "rows": 2, "correct": 1,
    }  # fmt: skip
    assert counts(service) == (1, 1)
    assert shown(client, request_id) == [("setosa", True), ("virginica", False)]


def test_the_same_again_is_fine_and_not_counted(service: Service, client: Any, request_id: str) -> None:
    for _ in range(3):
        assert tell(client, request_id, ["setosa", "versicolor"]).json["correct"] == 2
    assert counts(service) == (2, 0)


def test_another_truth_replaces_the_first(service: Service, client: Any, request_id: str) -> None:
    tell(client, request_id, ["setosa", "virginica"])
    assert tell(client, request_id, ["setosa", "versicolor"]).json["correct"] == 2
    assert shown(client, request_id) == [("setosa", True), ("versicolor", True)]
    assert counts(service) == (2, 1)


def test_null_says_nothing_of_its_row(service: Service, client: Any, request_id: str) -> None:
    assert tell(client, request_id, [None, "versicolor"]).json["rows"] == 1
    assert shown(client, request_id) == [(None, None), ("versicolor", True)]
    assert tell(client, request_id, [None, None]).json["rows"] == 0
    assert counts(service) == (1, 0)


@pytest.mark.usefixtures("request_id")
@pytest.mark.parametrize("unknown", ["never-asked", "", "a b", "\ud83d", "x" * 10_00])
def test_an_unknown_request_is_404(client: Any, unknown: str) -> None:
    answer = tell(client, unknown, ["setosa"])
    assert (answer.status_code, answer.json["type"]) == (404, "urn:prediction-api:unknown-request")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    "labels", [[], ["setosa"], ["setosa"] * 3, "setosa", None, {"a": 1}, [{}, {}], [[[1]], "setosa"]]
)
def test_labels_that_do_not_fit_the_request_are_422(
    service: Service, client: Any, request_id: str, labels: Any
) -> None:
    answer = tell(client, request_id, labels)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "labels")
    assert counts(service) == (0, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [("[]", 422), ("{}", 422), ('{"request_id": 5, "labels": []}', 422), ("{", 400), ("", 400)],
)
@pytest.mark.usefixtures("request_id")
def test_a_body_of_another_form_is_refused(client: Any, body: str, status: int) -> None:
    assert client.post("/feedback", data=body, content_type="application/json").status_code == status


def test_something_beside_the_two_is_refused(client: Any, request_id: str) -> None:
    answer = tell(client, request_id, ["setosa", "setosa"], label="x")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "label")


def test_of_an_id_used_again_the_newest_request_counts(
    service: Service, client: Any, request_id: str
) -> None:
    again = client.post("/predict", json={"instances": FLOWERS[:1]}, headers={"X-Request-Id": request_id})
    assert again.status_code == 200
    service.log.writer.turn()
    assert len(client.get(f"/predictions/{request_id}").json["answers"]) == 2
    assert tell(client, request_id, ["setosa"]).json["rows"] == 1
    earlier, newest = client.get(f"/predictions/{request_id}").json["answers"]
    assert "label" not in earlier["rows"][0]
    assert "label" in newest["rows"][0]


def test_two_who_tell_the_same_at_once_count_once(service: Service, client: Any, request_id: str) -> None:
    told: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: told.append(tell(client, request_id, ["setosa", "versicolor"]).status_code)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [200] * 4
    assert counts(service) == (2, 0)


@pytest.mark.parametrize(
    ("label", "prediction", "expected"),
    [(1, 1.0, True), (True, 1, False), ("1", 1, False), ("a", "a", True), ([1, 2], [1, 2], True)],
)
def test_labels_are_compared_as_json_values(label: Any, prediction: Any, expected: bool) -> None:
    assert same(label, prediction) == expected
