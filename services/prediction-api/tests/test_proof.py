"""A model takes a shortcut only where it was shown to give the model's own labels."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_shortcut import WITH_SHORTCUT

from prediction_api import shortcut
from prediction_api.loading import load
from prediction_api.model import Model, predict_body
from prediction_api.problems import Problem
from prediction_api.proof import with_shortcut
from prediction_api.signature import Column, Signature

EXAMPLE = models.iris()[0].iloc[::50].to_dict("records")


def model_of(estimator: Any, inputs: pd.DataFrame, **options: Any) -> Model:
    """A model as loading makes it, without files; the options are those of its columns."""
    column = {"type": "double", "required": True} | options
    signature = Signature(tuple(Column(name, **column) for name in inputs.columns))
    return Model(models.identity("1"), estimator, signature, "now")


def logistic(**options: Any) -> Model:
    trained = models.logistic()
    return model_of(trained.estimator, trained.inputs, **options)


def reason(capsys: pytest.CaptureFixture[str]) -> str:
    """What the one log line says."""
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["event"], said["model"], said["model_version"]) == ("shortcut", "iris", "1")
    return said["message"]


def spoil(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[shortcut.Step], shortcut.Step],
    kind: type = LogisticRegression,
) -> None:
    """Make the shortcut of this kind of classifier wrong."""
    right = shortcut.STEPS[kind]
    wrong = {kind: lambda step, names: change(right(step, names))}
    monkeypatch.setattr(shortcut, "STEPS", shortcut.STEPS | wrong)


def test_a_proven_shortcut_is_taken_and_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert with_shortcut(logistic(), EXAMPLE).shortcut
    assert reason(capsys) == "The shortcut computes the labels."


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17])
def test_a_shortcut_that_is_wrong_for_one_size_of_request_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    spoil(monkeypatch, lambda right: lambda rows: right(-rows if len(rows) == size else rows))
    assert with_shortcut(logistic(), EXAMPLE).shortcut is None
    assert "another label" in reason(capsys)


def four_trees() -> Model:
    """A model whose votes are often equal, so that most larger requests are left to scikit-learn."""
    inputs, labels = models.iris()
    return model_of(RandomForestClassifier(4, random_state=1).fit(inputs, labels), inputs)


def test_a_forest_whose_votes_are_often_equal_has_a_shortcut() -> None:
    assert with_shortcut(four_trees(), EXAMPLE).shortcut


@pytest.mark.parametrize("size", [2, 3, 5, 17])
def test_every_size_of_request_is_tried_where_many_rows_are_left_to_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    """Rows answered in another order are as often left to it as those in theirs."""
    spoil(
        monkeypatch,
        lambda right: lambda rows: right(rows[::-1] if len(rows) == size else rows),
        RandomForestClassifier,
    )
    assert with_shortcut(four_trees(), EXAMPLE).shortcut is None
    assert "another label" in reason(capsys)


def test_rows_that_are_answered_alone_but_not_together_prove_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, lambda right: lambda rows: right(rows if len(rows) < 5 else rows * np.nan))
    assert with_shortcut(logistic(), EXAMPLE).shortcut is None
    assert "5 rows" in reason(capsys)


def test_a_shortcut_that_leaves_all_to_scikit_learn_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, lambda right: lambda rows: right(rows * np.nan))
    assert with_shortcut(logistic(), EXAMPLE).shortcut is None
    assert "too few" in reason(capsys)


EXTREME = dict.fromkeys(models.NAMES, 1.7e308)


@pytest.mark.parametrize(
    ("example", "why"),
    [
        ([*EXAMPLE, EXTREME], "too large"),
        ([EXTREME], "too few"),
        ([*EXAMPLE, EXTREME | EXAMPLE[0] | {"petal_width": -1e200}], "too large"),
    ],
)
def test_an_extreme_example_has_a_true_reason(
    capsys: pytest.CaptureFixture[str], example: list[dict[str, float]], why: str
) -> None:
    assert with_shortcut(logistic(), example).shortcut is None
    assert why in reason(capsys)


def test_a_column_that_is_0_in_the_whole_example_is_tried_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    inputs = pd.DataFrame(rng.normal(size=(200, 2)), columns=["constant", "other"])
    estimator = LogisticRegression().fit(inputs, inputs["constant"] + inputs["other"] > 0)
    example = [{"constant": 0.0, "other": number} for number in (-1.0, 0.5, 1.0)]
    spoil(monkeypatch, lambda right: lambda rows: right(rows * [0.0, 1.0]))
    assert with_shortcut(model_of(estimator, inputs), example).shortcut is None
    assert "another label" in reason(capsys)


def test_what_scikit_learn_refuses_of_the_probes_is_left_to_it() -> None:
    """Rows with a gap fail without imputer; the others prove the shortcut."""
    model = with_shortcut(logistic(required=False), EXAMPLE)
    assert model.shortcut
    with pytest.raises(Problem) as refused:
        model.predict([[5.1, None, 1.4, 0.2]])
    assert refused.value.members["errors"][0]["rule"] == "model"


def test_a_shortcut_that_answers_what_scikit_learn_refuses_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = logistic(required=False)
    model.estimator.steps.pop(0)
    model.estimator.steps[-1][1].fit(*models.iris())
    spoil(monkeypatch, lambda right: lambda rows: right(np.nan_to_num(rows)))
    assert with_shortcut(model, EXAMPLE).shortcut is None
    assert "another label" in reason(capsys)


def test_the_model_itself_is_asked_once_for_all_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, labels = models.iris()
    model = model_of(WITH_SHORTCUT["the loop's logistic"].fit(inputs, labels), inputs, required=False)
    asked = []
    predict = model.estimator.predict
    monkeypatch.setattr(model.estimator, "predict", lambda rows: asked.append(len(rows)) or predict(rows))
    assert with_shortcut(model, EXAMPLE).shortcut
    assert asked == [135, 135]  # with every value, and with gaps


def one_label() -> Model:
    trained = models.logistic()
    trained.estimator[-1].intercept_ = np.array([1e6, 0, 0])
    return model_of(trained.estimator, trained.inputs)


def boosting() -> Model:
    inputs, labels = models.iris()
    return model_of(HistGradientBoostingClassifier(max_iter=2).fit(inputs, labels), inputs)


#: Models without a shortcut and what is logged of them.
WITHOUT = {
    "an estimator that is not known": (
        lambda: model_of(DummyClassifier(), models.iris()[0]),
        "DummyClassifier",
    ),
    "an estimator of another form": (
        lambda: model_of(make_pipeline(StandardScaler(), LogisticRegression()), models.iris()[0]),
        "AttributeError",
    ),
    "floats of 32 bits": (lambda: logistic(type="float"), "neither double"),
    "one label only": (one_label, "two labels"),
    "a way that wants names": (boosting, "named columns"),
}


@pytest.mark.parametrize(("make", "why"), WITHOUT.values(), ids=WITHOUT)
def test_a_model_without_shortcut_says_why_and_is_served(
    capsys: pytest.CaptureFixture[str], make: Callable[[], Model], why: str
) -> None:
    assert with_shortcut(make(), EXAMPLE).shortcut is None
    assert why in reason(capsys)


def test_without_an_example_nothing_is_proven(capsys: pytest.CaptureFixture[str]) -> None:
    assert with_shortcut(logistic(), None).shortcut is None
    assert "no input example" in reason(capsys)


@pytest.mark.filterwarnings("ignore:overflow")
def test_the_model_of_the_loop_takes_the_shortcut_and_scikit_learn_gives_the_reason(
    save: Callable[[models.Trained], Path],
) -> None:
    inputs, labels = models.iris()
    estimator = WITH_SHORTCUT["the loop's logistic"].fit(inputs, labels)
    model = load(save(models.Trained(estimator, inputs, ["numpy.dtype"])), models.identity("1"))
    assert model.shortcut
    with pytest.raises(Problem) as refused:
        predict_body(model, b'{"instances": [[1.7e308, 1, 1, 1]]}', 5)
    assert "infinity" in refused.value.detail
    assert replace(model, shortcut=None).predict([[5.1, 3.5, 1.4, 0.2]]) == ["setosa"]
