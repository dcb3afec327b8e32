"""Every body gets the right answer, and no body gets a 5xx."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import models
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from prediction_api.model import Model, predict_body
from prediction_api.problems import Problem

GOOD = [5.1, 3.5, 1.4, 0.2]
NAMED = dict(zip(models.NAMES, GOOD, strict=True))
DEEP = b"[" * 100_000 + b"]" * 100_000

ACCEPTED = {
    "instances of lists": {"instances": [GOOD]},
    "instances of records": {"instances": [NAMED]},
    "a list of records": [NAMED],
    "one bare record": NAMED,
    "columns in another order": dict(reversed(NAMED.items())),
    "whole numbers where doubles are asked": [[5, 3, 1, 0]],
    "lists and records mixed": [GOOD, NAMED],
}

#: Body, status, and for 422 the rule, the field and the row that are named.
REFUSED: dict[str, tuple[bytes, int, tuple[str, str, int | None] | None]] = {
    "nothing": (b"", 400, None),
    "no JSON": (b"{", 400, None),
    "two values": (b"[] []", 400, None),
    "NaN": (b"[[NaN,1,1,1]]", 400, None),
    "Infinity": (b'[{"a":-Infinity}]', 400, None),
    "Latin-1": ('["é"]'.encode("latin-1"), 400, None),
    "UTF-16": ("[[1,1,1,1]]".encode("utf-16"), 400, None),
    "a byte order mark": (b"\xef\xbb\xbf[[1,1,1,1]]", 400, None),
    "deep nesting": (DEEP, 400, None),
    "deep nesting of objects": (b'{"a":' * 100_000, 400, None),
    "a number of 5000 digits": (b"[[" + b"9" * 5000 + b",1,1,1]]", 400, None),
    "a huge whole number": (b"[[" + b"9" * 400 + b",1,1,1]]", 422, ("range", "sepal_length", 0)),
    "a whole number that is read as the greatest double": (
        b"[[%d,1,1,1]]" % (int(sys.float_info.max) + 1),
        422,
        ("range", "sepal_length", 0),
    ),
    "a double that overflows": (b"[[1e999,1,1,1]]", 422, ("range", "sepal_length", 0)),
    "null for a body": (b"null", 422, ("form", "body", None)),
    "a number for a body": (b"1", 422, ("form", "body", None)),
    "instances that are no list": (b'{"instances": 1}', 422, ("list", "instances", None)),
    "instances that are null": (b'{"instances": null}', 422, ("list", "instances", None)),
    "a key beside instances": (b'{"instances": [[1,1,1,1]], "x": 1}', 422, ("unknown", "x", None)),
    "no rows": (b'{"instances": []}', 422, ("min_rows", "instances", None)),
    "an empty list": (b"[]", 422, ("min_rows", "instances", None)),
    "an empty record": (b"{}", 422, ("required", "sepal_length", 0)),
    "too many rows": (json.dumps([GOOD] * 6).encode(), 422, ("max_rows", "instances", None)),
    "a row that is a number": (b"[1,2,3,4]", 422, ("row", "instances", 0)),
    "too few values": (b"[[1,2,3]]", 422, ("length", "instances", 0)),
    "too many values": (b"[[1,2,3,4,5]]", 422, ("length", "instances", 0)),
    "a list in a cell": (b"[[[1],2,3,4]]", 422, ("number", "sepal_length", 0)),
    "a string for a number": (b'[[1,"2",3,4]]', 422, ("number", "sepal_width", 0)),
    "a boolean for a number": (b"[[1,2,true,4]]", 422, ("number", "petal_length", 0)),
    "null for a number": (b"[[1,2,3,null]]", 422, ("required", "petal_width", 0)),
    "the second row wrong": (b"[[1,2,3,4],[1,2,3,false]]", 422, ("number", "petal_width", 1)),
    "a missing column": (
        json.dumps({k: NAMED[k] for k in models.NAMES[:3]}).encode(),
        422,
        ("required", "petal_width", 0),
    ),
    "an unknown column": (json.dumps(NAMED | {"colour": 1}).encode(), 422, ("unknown", "colour", 0)),
    "half a surrogate as column": (
        json.dumps(NAMED)[:-1].encode() + b',"\\ud800":1}',
        422,
        ("unknown", "\ud800", 0),
    ),
    "a very long column name": (json.dumps({"x" * 5000: 1}).encode(), 422, ("unknown", "x" * 100, 0)),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_every_accepted_form_gives_labels(iris_model: Model, body: Any) -> None:
    predictions, answer = predict_body(iris_model, json.dumps(body).encode(), 5)
    assert set(predictions) == {"setosa"}
    assert json.loads(answer) == {"predictions": predictions}


@pytest.mark.parametrize(("raw", "status", "error"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_body_is_refused_naming_rule_field_and_row(
    iris_model: Model, raw: bytes, status: int, error: tuple[str, str, int | None] | None
) -> None:
    with pytest.raises(Problem) as refused:
        predict_body(iris_model, raw, 5)
    assert refused.value.status == status
    if error:
        named = refused.value.members["errors"]
        assert error in [(entry["rule"], entry["field"], entry["row"]) for entry in named]


def test_a_problem_names_a_bounded_number_of_errors(iris_model: Model) -> None:
    body = json.dumps([{f"column {number}": 1 for number in range(500)}]).encode()
    with pytest.raises(Problem) as refused:
        predict_body(iris_model, body, 5)
    assert len(refused.value.members["errors"]) == 20


@pytest.fixture(scope="module")
def mixed_model(load_trained: Callable[[models.Trained], Model]) -> Model:
    return load_trained(models.mixed())


MIXED = {"age": 40.0, "visits": 2, "chest": "silent", "smoker": False}

MIXED_REFUSED = {
    "a fraction for a long": ({"visits": 1.5}, "integer", "visits"),
    "a boolean for a long": ({"visits": True}, "integer", "visits"),
    "a long of 65 bits": ({"visits": 2**63}, "range", "visits"),
    "a negative long of 65 bits": ({"visits": -(2**63) - 1}, "range", "visits"),
    "a long of 65 bits as a float": ({"visits": -(2.0**63)}, "range", "visits"),
    "a long of 1000 bits": ({"visits": 2**1000}, "range", "visits"),
    "null for a required long": ({"visits": None}, "required", "visits"),
    "a number for a string": ({"chest": 1}, "string", "chest"),
    "half a surrogate": ({"chest": "\ud800"}, "unicode", "chest"),
    "a number for a boolean": ({"smoker": 1}, "boolean", "smoker"),
    "a category the model never saw": ({"chest": "burning"}, "model", "instances"),
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"age": None},
        {"chest": None},
        {"visits": 2.0},
        {"visits": -(2**63)},
        {"age": 2**53},
        {"age": None, "chest": None},
    ],
)
def test_missing_values_and_whole_floats_are_taken_where_the_signature_says_so(
    mixed_model: Model, change: dict[str, Any]
) -> None:
    predictions, _ = predict_body(mixed_model, json.dumps(MIXED | change).encode(), 5)
    assert predictions[0] in {"sick", "well"}


def test_an_optional_column_may_be_left_out(mixed_model: Model) -> None:
    whole, _ = predict_body(mixed_model, json.dumps(MIXED | {"age": None}).encode(), 5)
    without, _ = predict_body(
        mixed_model, json.dumps({k: v for k, v in MIXED.items() if k != "age"}).encode(), 5
    )
    assert whole == without


@pytest.mark.parametrize(("change", "rule", "field"), MIXED_REFUSED.values(), ids=MIXED_REFUSED)
def test_a_value_of_the_wrong_kind_is_refused(
    mixed_model: Model, change: dict[str, Any], rule: str, field: str
) -> None:
    with pytest.raises(Problem) as refused:
        predict_body(mixed_model, json.dumps(MIXED | change).encode(), 5)
    assert refused.value.status == 422
    assert [(error["rule"], error["field"]) for error in refused.value.members["errors"]] == [(rule, field)]


def test_number_labels_stay_numbers(load_trained: Callable[[models.Trained], Model]) -> None:
    predictions, answer = predict_body(load_trained(models.text()), b'{"instances": [["good"], ["bad"]]}', 5)
    assert predictions == [1, 0]
    assert answer == b'{"predictions": [1, 0]}'


def test_a_shortcut_is_for_numbers_only(iris_model: Model, mixed_model: Model) -> None:
    assert (bool(iris_model.shortcut), iris_model.takes_arrays) == (True, False)
    assert (bool(mixed_model.shortcut), mixed_model.takes_arrays) == (False, False)


def test_numbers_without_a_shortcut_are_handed_on_as_an_array(
    load_trained: Callable[[models.Trained], Model],
) -> None:
    inputs, labels = models.iris()
    estimator = LinearRegression().fit(inputs, pd.factorize(labels)[0])
    model = load_trained(models.Trained(estimator, inputs))
    assert (bool(model.shortcut), model.takes_arrays) == (False, True)
    assert model.predict([GOOD]) == replace(model, takes_arrays=False).predict([GOOD])
