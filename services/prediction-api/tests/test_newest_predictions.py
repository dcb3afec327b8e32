"""`GET /predictions`: the log's newest rows, whichever parameters are right or wrong."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import models
import pytest
from sqlalchemy import update
from sqlalchemy.dialects import mysql

from prediction_api.application import create_app
from prediction_api.model import Model
from prediction_api.openapi import document
from prediction_api.prediction_log import listing
from prediction_api.prediction_log.listing import Wanted, fitting
from prediction_api.prediction_log.queries import newest_rows, told_label
from prediction_api.prediction_log.tables import predictions
from prediction_api.service import Service
from prediction_api.serving import COPY
from prediction_api.settings import Settings

FLOWER = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture
def serving(service: Service, iris_model: Model) -> Service:
    service.serving.swap(iris_model, COPY)
    return service


def predict(service: Service, client: Any, *lengths: float, request_id: str = "") -> str:
    """Ask about flowers of these sepal lengths in one request, and have it logged; the request's id."""
    headers = {"X-Request-Id": request_id} if request_id else {}
    rows = [[length, *FLOWER[1:]] for length in lengths]
    answer = client.post("/predict", json={"instances": rows}, headers=headers)
    assert answer.status_code == 200, answer.data
    while service.log.writer.turn():
        pass
    return answer.headers["X-Request-Id"]


def lengths(client: Any, query: str = "") -> list[float]:
    answer = client.get(f"/predictions?{query}")
    assert answer.status_code == 200, answer.data
    return [row["inputs"]["sepal_length"] for row in answer.json["rows"]]


def test_the_newest_come_first_as_the_document_describes_them(serving: Service, client: Any) -> None:
    assert client.get("/predictions").json == {"rows": [], "more": False}
    predict(serving, client, 1.0)
    request_id = predict(serving, client, 2.0, 3.0)
    told = {"request_id": request_id, "labels": ["virginica", None]}
    assert client.post("/feedback", json=told).status_code == 200
    found = client.get("/predictions?limit=2").json
    assert [row["inputs"]["sepal_length"] for row in found["rows"]] == [3.0, 2.0]
    assert found["more"] is True
    assert [row.get("label", "none") for row in found["rows"]] == ["none", "virginica"]
    row = found["rows"][0]
    said = [row[name] for name in ("model", "version", "role", "prediction")]
    assert said == ["iris", "1", "champion", "setosa"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(row["at"])) < timedelta(minutes=5)
    described = document(serving.serving.model, serving.settings)
    whole = {"$ref": "#/components/schemas/Newest", "components": described["components"]}
    jsonschema_rs.validate(whole, found)
    assert client.get("/predictions").json["more"] is False


def test_a_label_is_of_the_newest_request_of_its_id(serving: Service, client: Any) -> None:
    for length in (1.0, 2.0):
        predict(serving, client, length, request_id="again")
    client.post("/feedback", json={"request_id": "again", "labels": ["setosa"]})
    newer, older = client.get("/predictions").json["rows"]
    assert (newer["inputs"]["sepal_length"], newer["label"]) == (2.0, "setosa")
    assert "label" not in older


def test_model_version_and_time_choose(serving: Service, client: Any) -> None:
    predict(serving, client, 1.0)
    change = {"version": "0", "at": datetime(2026, 1, 1), "entry": "0" * 32}
    with serving.log.store.transaction() as connection:
        connection.execute(update(predictions).values(change))
    predict(serving, client, 2.0)
    assert lengths(client, "version=0") == [1.0]
    assert lengths(client, "model=iris&version=1") == [2.0]
    assert lengths(client, "model=wine") == []
    assert lengths(client, "since=1970-01-01T00:00:00Z") == [2.0, 1.0]
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert lengths(client, "since=" + soon.strftime("%Y-%m-%dT%H:%M:%SZ")) == []
    # The same moment minus two hours, said in a zone further east.
    assert lengths(client, "since=" + soon.strftime("%Y-%m-%dT%H:%M:%S.5%%2B02:00")) == [2.0]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=0", [("limit", "range")]),
        ("limit=5001", [("limit", "range")]),
        ("limit=many", [("limit", "integer")]),
        ("limit=1.0", [("limit", "integer")]),
        ("limit=" + "9" * 5000, [("limit", "integer")]),
        ("limit=", [("limit", "integer")]),
        ("since=yesterday", [("since", "time")]),
        ("since=2026-01-01", [("since", "time")]),
        ("since=2026-01-01T00:00:00", [("since", "time")]),
        ("since=2026-13-01T00:00:00Z", [("since", "time")]),
        ("since=0001-01-01T00:00:00%2B23:00", [("since", "time")]),
        ("model=", [("model", "length")]),
        ("version=" + "1" * 201, [("version", "length")]),
        ("limit=1&limit=2", [("limit", "form")]),
        ("offset=1", [("offset", "unknown")]),
        ("x=1&limit=0&since=x", [("x", "unknown"), ("since", "time"), ("limit", "range")]),
    ],
)
def test_wrong_parameters_are_named_with_their_rule(
    serving: Service, client: Any, query: str, wrong: list[tuple[str, str]]
) -> None:
    answer = client.get(f"/predictions?{query}")
    assert (answer.status_code, answer.json["type"]) == (422, "urn:prediction-api:invalid-query")
    assert [(error["field"], error["rule"]) for error in answer.json["errors"]] == wrong
    assert answer.json["detail"].startswith(wrong[0][0] + ": ")
    described = document(serving.serving.model, serving.settings)
    whole = {"$ref": "#/components/schemas/Refused", "components": described["components"]}
    jsonschema_rs.validate(whole, answer.json)


def test_large_inputs_make_the_answer_shorter(
    serving: Service, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(serving, client, 1.0, 2.0, 3.0)
    size = len(json.dumps(dict(zip(models.NAMES, FLOWER, strict=True)), separators=(",", ":")))
    monkeypatch.setattr(listing.fitting, "__defaults__", (2 * size,))
    found = client.get("/predictions").json
    assert ([row["inputs"]["sepal_length"] for row in found["rows"]], found["more"]) == ([3.0, 2.0], True)
    assert [fitting(sizes, 10) for sizes in ([], [11], [5, 5], [5, 6], [5, 5, 1])] == [0, 1, 2, 1, 2]


def test_masked_columns_stay_masked(settings: Settings, iris_model: Model) -> None:
    service = Service(replace(settings, masked_columns=frozenset({"sepal_length"})))
    service.serving.swap(iris_model, COPY)
    client = create_app(service).test_client()
    predict(service, client, 1.0)
    assert lengths(client) == ["***"]


def test_it_asks_for_a_token_and_for_a_log(settings: Settings) -> None:
    closed = create_app(Service(replace(settings, tokens={"ada": "a-token"}))).test_client()
    assert closed.get("/predictions").status_code == 401
    assert closed.get("/predictions", headers={"Authorization": "Bearer a-token"}).status_code == 200
    answer = create_app(Service(replace(settings, prediction_log=False))).test_client().get("/predictions")
    assert (answer.status_code, answer.json["type"]) == (404, "urn:prediction-api:log-off")


def test_mysql_gets_the_statement_too() -> None:
    wanted = Wanted("iris", "1", datetime(2026, 1, 1), 5)
    statement = newest_rows(wanted, *predictions.c, told_label()).limit(5)
    text = " ".join(str(statement.compile(dialect=mysql.dialect())).split())
    assert text.count("FROM predictions WHERE") == text.count("FROM feedback WHERE") == 1
    assert "FROM predictions AS later WHERE" in text
