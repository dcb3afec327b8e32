"""`sandbox challenge` sets alias and tags in MLflow and waits until every worker follows."""

from types import SimpleNamespace

import pytest

from sandbox import challenge, wait
from sandbox.errors import LoopError


class FakeMlflow:
    """One registered model, version 2 its champion."""

    def __init__(self):
        self.done = []

    def names(self):
        return ["iris"]

    def version(self, name, number):
        return {"name": name, "version": number} if number in ("1", "2") else None

    def versions(self, _name):
        return []

    def champion(self, _name):
        return {"version": "2"}

    def set_model_tag(self, *what):
        self.done.append(what)

    set_alias = set_model_tag

    def delete_alias(self, *what):
        self.done.append(what)


class FakeApi:
    """Gives its answers one after the other, the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def model(self):
        return {"name": "iris", "version": "2"}

    def about(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def says(version=None, percent=10.0, mode="split", workers=(None,), refusal=None):
    has = {"version": version, "percent": percent, "mode": mode} if version else None
    return {
        "name": "iris",
        "version": "2",
        "logs_predictions": True,
        "challenger": has,
        "challenger_refusal": refusal,
        "workers": [
            {
                "challenger": worker,
                "challenger_percent": percent if worker else None,
                "challenger_mode": mode if worker else None,
            }
            for worker in workers
        ],
    }


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(wait.time, "sleep", lambda _: None)


def context_of(*answers):
    return SimpleNamespace(mlflow=FakeMlflow(), prediction_api=FakeApi(*answers))


def test_alias_and_tags_are_set_and_every_worker_is_waited_for():
    half = says("1", 25.0, workers=("1", None))
    context = context_of(says(), says(), half, says("1", 25.0, workers=("1", "1")))
    about = challenge.challenge(context, "1", "", 25.0, shadow=False)
    assert about["challenger"]["percent"] == 25.0
    tags = [("iris", "challenger_percent", "25.0"), ("iris", "challenger_mode", "split")]
    assert context.mlflow.done == [("iris", "challenger"), *tags, ("iris", "challenger", "1")]
    assert len(context.prediction_api.answers) == 1


def test_a_worker_that_still_has_the_former_share_is_waited_for():
    """The answer is one worker's; what the others do stands in their own lines."""
    half = says("1", 25.0, workers=("1", "1"))
    half["workers"][1]["challenger_percent"] = 10.0
    context = context_of(says(), half, says("1", 25.0, workers=("1", "1")))
    challenge.challenge(context, "1", "", 25.0, shadow=False)
    assert len(context.prediction_api.answers) == 1


def test_what_the_api_refuses_is_said_with_its_reason():
    context = context_of(says(refusal={"version": "1", "reason": "type x.Y"}))
    with pytest.raises(LoopError, match=r"does not serve version 1: type x\.Y"):
        challenge.challenge(context, "1", "", 10.0, shadow=True)


def test_the_champion_cannot_challenge_itself():
    context = context_of(says())
    with pytest.raises(LoopError, match="is the champion"):
        challenge.challenge(context, "2", "", 10.0, shadow=False)
    assert context.mlflow.done == []


def test_it_ends_also_where_nobody_challenged(capsys):
    context = context_of(says("1", workers=("1",)), says())
    challenge.show_challenge(challenge.end_challenge(context, ""))
    assert context.mlflow.done == [("iris", "challenger")]
    assert "nobody challenges version 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("served", "said"),
    [
        ({"name": "wine"}, "a version of iris cannot challenge"),
        ({"pin": "7"}, "MODEL_PIN=7"),
        ({"logs_predictions": False}, "are not logged"),
    ],
)
def test_what_could_never_challenge_is_refused_before_anything_is_changed(served, said):
    context = context_of(says() | served)
    with pytest.raises(LoopError, match=said):
        challenge.challenge(context, "iris/1", "", 10.0, shadow=True)
    assert context.mlflow.done == []
