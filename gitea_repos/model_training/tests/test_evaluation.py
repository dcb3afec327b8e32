from dataclasses import replace

import numpy as np
import pytest

from model_training.dataset import Split
from model_training.evaluation import evaluate, learning_curve, verification
from model_training.pipelines import fit_pipeline
from model_training.plots import draw_confusion_matrix, draw_learning_curve


@pytest.fixture(scope="module")
def pipeline(iris):
    from model_training.params import Params

    return fit_pipeline(Params("iris", "logistic_regression", 42), iris.schema, iris.train)


def test_figures_agree_with_counting_by_hand(pipeline, iris):
    result = evaluate(pipeline, iris.test)
    predicted = pipeline.predict(iris.test.rows)
    assert result.metrics["accuracy"] == (predicted == iris.test.labels).mean()
    for name, row in result.per_class.items():
        own = iris.test.labels == name
        assert row["support"] == own.sum()
        assert row["recall"] == (predicted[own] == name).mean()
    assert result.confusion.sum() == len(iris.test.labels)


def test_a_label_that_training_never_saw_counts_against_the_model(pipeline, iris):
    labels = np.where(iris.test.labels == "setosa", "tulip", iris.test.labels)
    result = evaluate(pipeline, Split(iris.test.rows, labels))
    assert result.per_class["tulip"]["recall"] == 0
    assert np.isfinite(result.metrics["log_loss"])


def test_verification_holds_the_labels_the_model_gives(pipeline, iris):
    proof = verification(pipeline, iris.test)
    assert len(proof["instances"]) == len(proof["predictions"]) == 30
    assert list(proof["instances"][0]) == list(iris.schema.columns)
    assert proof["predictions"] == pipeline.predict(iris.test.rows).tolist()


def test_verification_writes_a_missing_value_as_null(pipeline, iris):
    rows = iris.test.rows.assign(sepal_width=np.nan)
    assert verification(pipeline, replace(iris.test, rows=rows))["instances"][0]["sepal_width"] is None


def test_the_learning_curve_ends_at_the_model_itself_and_leaves_out_what_is_too_small(pipeline, iris):
    points = learning_curve(pipeline, iris, seed=1)
    assert points[-1].rows == len(iris.train.labels)
    assert points[-1].test == evaluate(pipeline, iris.test).metrics["macro_f1"]
    few = replace(iris, train=Split(iris.train.rows.iloc[[0, 119]], iris.train.labels[[0, 119]]))
    assert [point.rows for point in learning_curve(pipeline, few, seed=1)] == [2]


def test_equal_figures_give_equal_pictures(pipeline, iris, tmp_path):
    result, points = evaluate(pipeline, iris.test), learning_curve(pipeline, iris, seed=1)
    for name in ("first", "second"):
        draw_confusion_matrix(result, tmp_path / f"{name}.confusion.png")
        draw_learning_curve(points, tmp_path / f"{name}.curve.png")
    for kind in ("confusion", "curve"):
        first, second = ((tmp_path / f"{name}.{kind}.png").read_bytes() for name in ("first", "second"))
        assert first == second
        assert len(first) > 5000
