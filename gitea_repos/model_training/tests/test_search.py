"""A search finds parameters on the training rows alone, the same ones again, and says what it cannot try."""

import pytest

from builders import IRIS, iris_frame
from model_training.dataset import Dataset, Split
from model_training.errors import TrainingError
from model_training.params import Params
from model_training.pipelines import find_recipe
from model_training.schema import Schema
from model_training.search import find_params
from model_training.smoke import check_kinds

GOOD = {"trials": 3, "classifier": {"C": {"low": 0.0001, "high": 10, "log": True}}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    from builders import write_folder
    from model_training.dataset import read_dataset

    frame = iris_frame()
    folder = write_folder(tmp_path_factory.mktemp("iris"), frame[::2], frame[1::2], IRIS)
    return read_dataset(folder)


def params(search, **fixed):
    return Params("iris", "logistic_regression", 1, classifier=fixed, search=search)


def read(folder, search):
    path = folder / "params.yaml"
    path.write_text(
        f"model: iris\npipeline: logistic_regression\nseed: 1\nclassifier: {{C: 1}}\nsearch: {search}\n"
    )
    return Params.read(path)


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        ("{trials: 3}", "names no parameter"),
        ("{trials: 0, classifier: {tol: [1]}}", "trials is 0; it must be a whole number from 1"),
        ("{classifier: {tol: [1]}}", "trials is None"),
        ("{trials: 3, space: {tol: [1]}}", r"search\.space is unknown; known: trials, classifier, text"),
        ("{trials: 3, classifier: [1]}", r"search\.classifier is \[1\]; it must be a mapping"),
        ("{trials: 3, classifier: {C: [1]}}", "classifier.C is set and searched; remove one"),
        (
            "{trials: 3, classifier: {tol: []}}",
            r"search\.classifier\.tol is \[\]; it must be a list",
        ),
        ("{trials: 3, classifier: {tol: {low: 2, high: 1}}}", "it must be a list of values, or"),
        ("{trials: 3, classifier: {tol: {low: 0, high: 1, log: true}}}", "it must be a list of values, or"),
        ("{trials: 3, classifier: {tol: {low: 0, high: 1, step: 0}}}", "it must be a list of values, or"),
        ("{trials: 3, classifier: {tol: {low: a, high: b}}}", "it must be a list of values, or"),
        ("{trials: 3, classifier: {tol: {low: .nan, high: 1}}}", "it must be a list of values, or"),
        ("{trials: 3, classifier: {tol: {low: 1, high: .inf}}}", "it must be a list of values, or"),
        ("{trials: 3, classifier: {tol: {low: 1, high: 2, step: 3}}}", "it must be a list of values, or"),
    ],
)
def test_a_wrong_search_is_refused_with_what_is_allowed(tmp_path, search, reason):
    with pytest.raises(TrainingError, match=reason):
        read(tmp_path, search)


def test_without_a_search_nothing_changes(dataset):
    plain = params({}, C=1.0)
    assert find_params(plain, dataset, lambda *_: pytest.fail("nothing is tried")).params is plain


def test_the_best_of_the_trials_is_taken_and_found_again(dataset):
    trials = []
    found = find_params(params(GOOD), dataset, trials.append)
    assert [tried.number for tried in trials] == list(range(3))
    assert [tried.began for tried in trials] == sorted(tried.began for tried in trials)
    best = max(trials, key=lambda tried: tried.macro_f1)
    assert (found.params.classifier["C"], found.macro_f1) == (best.params["classifier.C"], best.macro_f1)
    assert len({tried.params["classifier.C"] for tried in trials}) == 3
    assert min(tried.macro_f1 for tried in trials) < found.macro_f1
    again = find_params(params(GOOD), dataset, lambda *_: None)
    assert again.params == found.params


def test_what_is_fixed_stays_and_lists_and_whole_numbers_are_tried_as_they_are(dataset):
    search = {
        "trials": 6,
        "classifier": {"max_iter": {"low": 50, "high": 60, "step": 5}, "class_weight": [None, "balanced"]},
    }
    trials = []
    found = find_params(params(search, C=0.5), dataset, trials.append)
    assert found.params.classifier["C"] == 0.5
    assert {tried.params["classifier.max_iter"] for tried in trials} <= {50, 55, 60}
    assert {tried.params["classifier.class_weight"] for tried in trials} == {None, "balanced"}


def test_test_rows_decide_nothing(dataset):
    """The labels of the test rows are scrambled: the search finds the same."""
    other = Dataset(dataset.schema, dataset.train, Split(dataset.test.rows, dataset.test.labels[::-1]))
    assert find_params(params(GOOD), other, lambda *_: None) == find_params(
        params(GOOD), dataset, lambda *_: None
    )


def test_a_combination_that_cannot_be_trained_is_told_and_passed_over(dataset):
    search = {"trials": 6, "classifier": {"solver": ["lbfgs", "nonsense"]}}
    trials = []
    found = find_params(params(search), dataset, trials.append)
    failed = [tried.params["classifier.solver"] for tried in trials if tried.macro_f1 is None]
    assert set(failed) == {"nonsense"}
    assert found.params.classifier["solver"] == "lbfgs"


def test_where_none_can_be_trained_the_reason_is_said(dataset):
    with pytest.raises(TrainingError, match=r"no trial of the search could be trained: .*solver"):
        find_params(params({"trials": 2, "classifier": {"solver": ["x", "y"]}}), dataset, lambda *_: None)


def test_an_unknown_parameter_is_named(dataset):
    with pytest.raises(TrainingError, match=r"classifier\.c is unknown to LogisticRegression"):
        find_params(params({"trials": 2, "classifier": {"c": [1]}}), dataset, lambda *_: None)


def test_text_is_searched_by_pipelines_that_take_text_alone():
    search = {"trials": 2, "text": {"min_df": [1, 2]}}
    with pytest.raises(TrainingError, match="sets or searches text, but logistic_regression takes no text"):
        find_recipe(params(search))


def test_the_smoke_of_an_image_knows_what_cannot_be_searched():
    """A typing error is red in CI, before any data is fetched."""
    with pytest.raises(TrainingError, match=r"classifier\.c is unknown to LogisticRegression"):
        check_kinds(params({"trials": 2, "classifier": {"c": [1]}}))


def test_pairs_for_text_are_tried_as_pairs():
    import pandas as pd

    rows = pd.DataFrame({"text": ["good film", "bad film", "good food", "bad food"] * 6})
    labels = pd.Series(["yes", "no"] * 12).to_numpy()
    split = Split(rows, labels)
    dataset = Dataset(Schema("sentiment", "label", {"text": "text"}), split, split)
    search = {"trials": 3, "text": {"ngram_range": [[1, 1], [1, 2]]}}
    wanted = Params("sentiment", "text_logistic_regression", 1, search=search)
    assert find_params(wanted, dataset, lambda *_: None).params.text["ngram_range"] in {(1, 1), (1, 2)}
