"""A challenger in the shadow predicts what the champion answered; both are logged, nobody waits."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import models
import pytest

from prediction_api.challenger import CHALLENGER, CHAMPION, SHADOW, Challenge, Challenger
from prediction_api.loading import load
from prediction_api.model import Model
from prediction_api.service import Service
from prediction_api.serving import MLFLOW

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.8, 2.2]]  # setosa, virginica


@pytest.fixture
def shadowed(service: Service, iris_model: Model, save: Callable[..., Any]) -> Callable[..., Service]:
    def shadow(trained: models.Trained, in_shadow: bool = True) -> Service:
        challenger = load(save(trained), models.identity("2"))
        service.serving.swap(iris_model, MLFLOW)
        service.serving.challenge(Challenger(challenger, Challenge(challenger.identity, 0.0, in_shadow)))
        return service

    return shadow


def logged(service: Service) -> list[tuple[str, str, Any]]:
    while service.log.writer.turn():
        pass
    with sqlite3.connect(service.settings.home / "predictions.db") as database:
        rows = database.execute("SELECT role, version, prediction FROM predictions ORDER BY role, row")
        return [(role, version, json.loads(said)) for role, version, said in rows]


def counted(service: Service, result: str) -> float:
    labels = {"model": "iris", "version": "2", "result": result}
    return service.metrics._registry.get_sample_value("prediction_api_shadow_rows_total", labels) or 0.0


def test_it_is_logged_beside_the_answer_and_compared_with_it(
    shadowed: Callable[..., Service], client: Any
) -> None:
    service = shadowed(models.constant("setosa"))
    answer = client.post("/predict", json=ROWS)
    assert answer.json == {"predictions": ["setosa", "virginica"]}
    assert logged(service) == [
        (CHAMPION, "1", "setosa"),
        (CHAMPION, "1", "virginica"),
        (SHADOW, "2", "setosa"),
        (SHADOW, "2", "setosa"),
    ]
    assert (counted(service, "agree"), counted(service, "differ"), counted(service, "failed")) == (1, 1, 0)


def test_what_is_answered_by_the_challenger_itself_has_no_shadow(
    shadowed: Callable[..., Service], client: Any
) -> None:
    service = shadowed(models.constant("setosa"))
    client.post("/predict", json=ROWS, headers={"X-Model-Role": CHALLENGER})
    assert logged(service) == [(CHALLENGER, "2", "setosa")] * 2


def test_a_challenger_that_answers_has_no_shadow(shadowed: Callable[..., Service], client: Any) -> None:
    service = shadowed(models.constant("setosa"), in_shadow=False)
    client.post("/predict", json=ROWS)
    assert {role for role, _, _ in logged(service)} == {CHAMPION}


def test_a_shadow_with_other_columns_fails_alone(shadowed: Callable[..., Service], client: Any) -> None:
    service = shadowed(models.mixed())
    assert client.post("/predict", json=ROWS).status_code == 200
    assert logged(service) == [(CHAMPION, "1", "setosa"), (CHAMPION, "1", "virginica")]
    assert counted(service, "failed") == 2


def test_a_shadow_that_fails_is_logged_without_a_prediction(
    shadowed: Callable[..., Service], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = shadowed(models.constant("setosa"))
    shadow, predict = service.serving.shadow, Model.predict

    def fails(model: Model, rows: list[Any]) -> list[Any]:
        if model is shadow:
            raise ArithmeticError("no")
        return predict(model, rows)

    monkeypatch.setattr(Model, "predict", fails)
    assert client.post("/predict", json=ROWS).status_code == 200
    assert logged(service)[2:] == [(SHADOW, "2", None)] * 2
    assert counted(service, "failed") == 2


def test_a_shadow_that_answers_too_little_takes_nothing_with_it(
    shadowed: Callable[..., Service], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = shadowed(models.constant("setosa"))
    shadow, predict = service.serving.shadow, Model.predict
    monkeypatch.setattr(
        Model, "predict", lambda model, rows: predict(model, rows)[: 1 if model is shadow else None]
    )
    client.post("/predict", json=ROWS)
    assert [row for row in logged(service) if row[0] == CHAMPION] == [
        (CHAMPION, "1", "setosa"),
        (CHAMPION, "1", "virginica"),
    ]
    assert counted(service, "failed") == 2
