"""Promotions by hand: which version is meant, when there is nothing to do, what a rollback goes back to."""

import json
from types import SimpleNamespace

import pytest

from sandbox import promotion
from sandbox.completion import promotion_of
from sandbox.errors import LoopError


class Registry:
    """`iris` with three versions; 2 replaced 1, and 3 never was champion."""

    def __init__(self):
        self.models = {"iris": {number: {"code_commit": number * 40} for number in "123"}}
        self.models["iris"]["1"]["promoted_over"] = json.dumps({"version": None, "promoted_at": None})
        self.models["iris"]["2"]["promoted_over"] = json.dumps({"version": "1", "promoted_at": "x"})
        self.champions = {"iris": "2"}

    def names(self):
        return list(self.models)

    def version(self, name, number):
        tags = self.models[name].get(number)
        return {"name": name, "version": number, "tags": tags} if tags else None

    def versions(self, name):
        return [self.version(name, number) for number in reversed(self.models[name])]

    def champion(self, name):
        return self.version(name, self.champions[name]) if name in self.champions else None


@pytest.fixture
def context():
    return SimpleNamespace(
        mlflow=Registry(), prediction_api=SimpleNamespace(model=lambda: {"name": "iris", "version": "2"})
    )


@pytest.fixture
def started(monkeypatch):
    """What was started, in place of starting it."""
    runs = []
    monkeypatch.setattr(
        promotion, "start_and_follow", lambda _context, dag, conf, _s: runs.append((dag, conf))
    )
    return runs


def asked(name, version, reason):
    return [("promote_model", {"name": name, "version": version, "reason": reason})]


@pytest.mark.parametrize(("version", "model"), [("3", ""), ("iris/3", ""), ("3", "iris")])
def test_a_version_is_promoted_by_the_dag(context, started, version, model):
    promotion.promote(context, version, model, "promote", 1)
    assert started == asked("iris", "3", "promote")


def test_the_served_version_needs_nothing(context, started):
    receipt = promotion.promote(context, "2", "", "promote", 1)
    assert (receipt.state, started) == ("skipped", [])
    assert receipt.stages[0].detail == "iris version 2 is served already"


def test_a_champion_that_is_not_served_is_promoted_once_more(context, started):
    context.prediction_api.model = lambda: None
    promotion.promote(context, "2", "", "promote", 1)
    assert started == asked("iris", "2", "promote")


def test_an_unknown_version_lists_the_known_ones(context, started):
    with pytest.raises(LoopError, match="iris has no version 9") as caught:
        promotion.promote(context, "9", "", "promote", 1)
    assert all(f"{number} (code {number * 12})" in caught.value.hint for number in "123")
    assert started == []


def test_an_unknown_model_lists_the_known_ones(context):
    with pytest.raises(LoopError, match="called 'heart'") as caught:
        promotion.promote(context, "1", "heart", "promote", 1)
    assert caught.value.hint == "Models: iris"


def test_without_a_served_model_one_of_several_must_be_named(context):
    context.mlflow.models["heart"] = {}
    context.prediction_api.model = lambda: None
    with pytest.raises(LoopError) as caught:
        promotion.promote(context, "1", "", "promote", 1)
    assert "--model iris|heart" in caught.value.hint


def test_a_registry_without_models_is_said(context):
    context.mlflow.models = {}
    with pytest.raises(LoopError, match="No model is registered"):
        promotion.roll_back(context, "", "", 1)


def test_a_rollback_goes_to_what_the_champion_replaced(context, started):
    promotion.roll_back(context, "", "", 1)
    assert started == asked("iris", "1", "rollback")


def test_a_rollback_goes_to_the_named_version(context, started):
    promotion.roll_back(context, "3", "", 1)
    assert started == asked("iris", "3", "rollback")


@pytest.mark.parametrize(
    ("over", "said"),
    [(None, "is the first champion"), ("2", "promoted again while it was champion")],
)
def test_a_rollback_to_nothing_is_refused(context, started, over, said):
    context.mlflow.models["iris"]["2"]["promoted_over"] = json.dumps({"version": over})
    with pytest.raises(LoopError, match=said) as caught:
        promotion.roll_back(context, "", "", 1)
    assert "Versions of iris: 3" in caught.value.hint
    assert started == []


def test_a_model_without_a_champion_has_nothing_to_go_back_to(context):
    context.mlflow.champions = {}
    with pytest.raises(LoopError, match="has no champion"):
        promotion.roll_back(context, "", "", 1)


RUN = {"dag_run_id": "push-1", "run_after": "2026-05-01T10:00:00Z"}


def promotions(*rows):
    """Airflow after a run that registered iris 4; `rows` are the later promotions: id, version, state."""
    runs = [
        {"dag_run_id": name, "state": state, "conf": {"name": "iris", "version": version}}
        for name, version, state in rows
    ]

    def later(dag, run_after_gte, order_by):
        assert (dag, run_after_gte, order_by) == ("promote_model", RUN["run_after"], "run_after")
        return runs

    def said(*where):
        assert where == ("train_and_serve", "push-1", "register", "return_value")
        return {"name": "iris", "version": "4"}

    return SimpleNamespace(runs=later, said=said)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], None),
        ([("a", "3", "success")], None),
        ([("a", "4", "running")], "a"),
        ([("a", "4", "failed"), ("b", "4", "failed")], "b"),
        ([("a", "4", "failed"), ("b", "4", "success"), ("c", "5", "success"), ("d", "4", "success")], "b"),
    ],
    ids=["none", "another version", "running", "none passed", "the first that passed"],
)
def test_a_waiting_loop_is_completed_by_the_promotion_of_its_version(rows, expected):
    found = promotion_of(promotions(*rows), "train_and_serve", RUN)
    assert (found and found["dag_run_id"]) == expected
