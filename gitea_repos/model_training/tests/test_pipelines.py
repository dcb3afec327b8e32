from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from builders import FROZEN_PARAMS, write_folder
from model_training.dataset import read_dataset
from model_training.errors import TrainingError
from model_training.params import Params
from model_training.pipelines import PIPELINES, build_pipeline, fit_pipeline
from model_training.schema import Schema
from model_training.smoke import check_kinds, made_up_labels, made_up_rows
from model_training.trust import check_types

SMALL = {
    "logistic_regression": {},
    "random_forest": {"n_estimators": 5},
    "hist_gradient_boosting": {"max_iter": 3, "min_samples_leaf": 5, "learning_rate": 0.5},
    "text_logistic_regression": {},
}
MIXED = Schema("toy", "label", {"a_numeric": "numeric", "a_categorical": "categorical"})


def test_the_usual_pipeline_knows_the_four_flowers(iris):
    pipeline = fit_pipeline(Params.read(FROZEN_PARAMS), iris.schema, iris.train)
    flowers = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2], [6.0, 3.4, 4.5, 1.6], [4.8, 3.4, 1.6, 0.2]]
    predicted = pipeline.predict(pd.DataFrame(flowers, columns=list(iris.schema.columns)))
    assert predicted.tolist() == ["versicolor", "setosa", "versicolor", "setosa"]


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_survives_its_file_for_each_kind_of_column(name):
    assert check_kinds(Params("toy", name, 1, SMALL[name]))["state"] == "passed"


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n, recipe in PIPELINES.items() for k in recipe.kinds])
def test_every_pipeline_learns_from_each_kind_of_column(name, kind):
    schema = Schema("toy", "label", {"a": kind})
    split, params = made_up_rows(schema), Params("toy", name, 1, SMALL[name])
    assert fit_pipeline(params, schema, split).score(split.rows, split.labels) > 0.8


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("random_forest", {"classifier": {"n_estimators": 5, "min_samples_leaf": 90}}),
        ("logistic_regression", {"classifier": {"class_weight": {1: 5}}}),
        ("text_logistic_regression", {"text": {"min_df": 20, "max_df": 0.4, "ngram_range": (2, 3)}}),
    ],
)
def test_values_that_fit_other_rows_than_the_made_up_ones_pass_the_smoke_check(name, changes):
    assert check_kinds(Params("toy", name, 1, **changes))["state"] == "passed"


@pytest.mark.parametrize(
    ("weights", "labels"),
    [
        (None, ["good", "bad"]),
        ("balanced", ["good", "bad"]),
        ({"a": 1, "b": 2, "c": 3}, ["a", "b"]),
        ({1: 5}, [1, 0]),
    ],
)
def test_made_up_labels_are_those_that_class_weight_names(weights, labels):
    assert made_up_labels(Params("toy", "random_forest", 1, {"class_weight": weights})) == labels


@pytest.mark.parametrize("name", PIPELINES)
def test_equal_code_and_data_give_equal_probabilities(name):
    split, params = made_up_rows(MIXED), Params("toy", name, 7, SMALL[name])
    first, second = (fit_pipeline(params, MIXED, split).predict_proba(split.rows) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_unseen_and_missing_values_are_no_error_when_serving():
    pipeline = fit_pipeline(Params("toy", "logistic_regression", 1), MIXED, made_up_rows(MIXED))
    rows = pd.DataFrame({"a_numeric": [None, 3.0], "a_categorical": ["never seen", None]})
    assert set(pipeline.predict(rows)) <= {"good", "bad"}


def test_codes_are_categories_and_no_amounts_also_where_some_are_missing(tmp_path):
    schema = Schema("toy", "label", {"code": "categorical"})
    frame = pd.DataFrame({"code": [0, 1, 2, None] * 30, "label": ["good", "bad", "good", "bad"] * 30})
    dataset = read_dataset(write_folder(tmp_path, frame, frame.dropna(), vars(schema)))
    pipeline = fit_pipeline(Params("toy", "logistic_regression", 1), schema, dataset.train)
    check_types(pipeline)
    rows = pd.DataFrame({"code": [0.0, 1.0, 2.0, np.nan]})
    assert pipeline.predict(rows).tolist() == ["good", "bad", "good", "bad"]
    assert set(pipeline.predict(pd.DataFrame({"code": [9.0]}))) <= {"good", "bad"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pipeline": "svm"}, "pipeline 'svm' is unknown; known: logistic_regression, random_forest"),
        ({"classifier": {"c": 1}}, "classifier.c is unknown to LogisticRegression; known: C, class_weight"),
        ({"classifier": {"C": -1}}, "'C' parameter of LogisticRegression must be a float in the range"),
        ({"classifier": {"random_state": 1}}, "classifier.random_state is unknown"),
        ({"text": {"min_df": 2}}, "sets or searches text, but logistic_regression takes no text"),
        ({"pipeline": "text_logistic_regression", "text": {"ngram": 2}}, "text.ngram is unknown to TfidfV"),
    ],
)
def test_wrong_parameters_are_refused_with_key_and_allowed_values(params, iris, changes, reason):
    schema = replace(iris.schema, columns={**iris.schema.columns})
    if "text" in changes.get("pipeline", ""):
        schema = Schema("toy", "label", {"review": "text"})
    with pytest.raises(TrainingError, match=reason):
        fit_pipeline(replace(params, **changes), schema, iris.train)


def test_a_kind_the_pipeline_cannot_take_is_refused_with_the_one_that_can(params):
    with pytest.raises(TrainingError, match=r"'review' is text.*set pipeline.* to text_logistic_regression"):
        build_pipeline(params, Schema("toy", "label", {"review": "text"}))
