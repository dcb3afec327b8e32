"""A shortcut gives what scikit-learn gives, or leaves the answer to it, or there is none."""

from collections.abc import Callable
from typing import Any

import models
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from prediction_api.quick_reading import QuickReading
from prediction_api.shortcut import STEPS, Doubtful, NoShortcut, Shortcut
from prediction_api.signature import Column, Signature

NUMBERS = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
LOGISTIC = LogisticRegression(max_iter=500)
BOOSTING = HistGradientBoostingClassifier(max_iter=5)


def by_columns(*blocks: tuple[Any, Any]) -> ColumnTransformer:
    return ColumnTransformer([(f"block {n}", step, columns) for n, (step, columns) in enumerate(blocks)])


WITH_SHORTCUT = {
    "logistic": make_pipeline(StandardScaler(), LOGISTIC),
    "the loop's logistic": Pipeline([("features", by_columns((NUMBERS, models.NAMES))), ("last", LOGISTIC)]),
    "the loop's forest": make_pipeline(
        by_columns((NUMBERS, models.NAMES)), RandomForestClassifier(20, random_state=1)
    ),
    "the loop's boosting": make_pipeline(by_columns((NUMBERS, models.NAMES)), BOOSTING),
    "columns in another order": make_pipeline(
        by_columns((SimpleImputer(), models.NAMES[2:]), (NUMBERS, models.NAMES[:2])), LOGISTIC
    ),
    "columns left out": make_pipeline(
        by_columns((NUMBERS, models.NAMES[1:3]), ("drop", models.NAMES[:1])), SGDClassifier(random_state=1)
    ),
    "a classifier alone": ExtraTreesClassifier(20, random_state=1),
    "pipelines in a pipeline": make_pipeline(NUMBERS, make_pipeline(StandardScaler(), LOGISTIC)),
}

#: An estimator and what the reason against its shortcut says.
WITHOUT = {
    "another transformer": (
        make_pipeline(QuantileTransformer(n_quantiles=9), LOGISTIC),
        "QuantileTransformer",
    ),
    "another classifier": (make_pipeline(StandardScaler(), KNeighborsClassifier()), "KNeighborsClassifier"),
    "a regressor": (LinearRegression(), "LinearRegression"),
    "an indicator": (make_pipeline(SimpleImputer(add_indicator=True), LOGISTIC), "SimpleImputer"),
    "a constant put in": (make_pipeline(SimpleImputer(strategy="constant"), LOGISTIC), "SimpleImputer"),
    "another missing value": (make_pipeline(SimpleImputer(missing_values=0), LOGISTIC), "SimpleImputer"),
    "no mean": (make_pipeline(StandardScaler(with_mean=False), LOGISTIC), "StandardScaler"),
    "a slice of columns": (make_pipeline(by_columns((StandardScaler(), slice(0, 2))), LOGISTIC), "by a list"),
    "columns by number": (make_pipeline(by_columns((StandardScaler(), [0, 1])), LOGISTIC), "by a list"),
    "a mask": (make_pipeline(by_columns((StandardScaler(), [True, False] * 2)), LOGISTIC), "by a list"),
    "a mask of numpy": (
        make_pipeline(by_columns((StandardScaler(), [np.True_, np.False_] * 2)), LOGISTIC),
        "by a list",
    ),
    "categories": (make_pipeline(by_columns((OneHotEncoder(), models.NAMES)), LOGISTIC), "OneHotEncoder"),
    "weights": (
        make_pipeline(
            ColumnTransformer([("a", StandardScaler(), models.NAMES)], transformer_weights={"a": 2.0}),
            LOGISTIC,
        ),
        "weights",
    ),
    "columns chosen behind another step": (
        make_pipeline(
            StandardScaler().set_output(transform="pandas"),
            by_columns((NUMBERS, models.NAMES[::-1])),
            LOGISTIC,
        ),
        "other columns",
    ),
    "boosting on a DataFrame": (BOOSTING, "named columns"),
}


def signature(names: list[str] = models.NAMES) -> Signature:
    return Signature(tuple(Column(name, "double", False) for name in names))


def shortcut(estimator: Any, names: list[str] = models.NAMES) -> Shortcut:
    reading = QuickReading.of(signature(names))
    assert reading
    return Shortcut.of(estimator, reading)


def rows_around(inputs: pd.DataFrame, missing: float) -> list[list[Any]]:
    """A thousand rows inside, between and far outside the training data."""
    rng = np.random.default_rng(7)
    values = inputs.to_numpy()[rng.integers(len(inputs), size=1000)]
    values = values + rng.normal(size=values.shape) * rng.choice([0.1, 1, 1e3, 1e9], size=(1000, 1))
    return np.where(rng.random(values.shape) < missing, None, values).tolist()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", WITH_SHORTCUT.values(), ids=WITH_SHORTCUT)
def test_a_shortcut_gives_the_labels_of_the_estimator(estimator: BaseEstimator, classes: int) -> None:
    inputs, labels = models.iris()
    kept = labels.isin(sorted(set(labels))[:classes])
    estimator.fit(inputs[kept], labels[kept])
    has_imputer = "SimpleImputer(" in estimator.__repr__(N_CHAR_MAX=10_000)
    rows = rows_around(inputs, 0.1 if has_imputer else 0)
    expected = estimator.predict(signature().frame(rows)).tolist()
    quick, answered = shortcut(estimator), 0
    for start in range(0, 1000, 5):
        found = quick.labels(rows[start : start + 5])
        assert found in (None, expected[start : start + 5])
        answered += found is not None
    # Votes of a small forest are often equal, and then scikit-learn is asked.
    assert answered >= (50 if "Forest" in repr(estimator) or "Trees" in repr(estimator) else 200)


@pytest.mark.parametrize(("estimator", "reason"), WITHOUT.values(), ids=WITHOUT)
def test_an_estimator_that_does_more_has_no_shortcut(estimator: BaseEstimator, reason: str) -> None:
    inputs, labels = models.iris()
    estimator.fit(inputs, pd.factorize(labels)[0])
    with pytest.raises(NoShortcut, match=reason):
        shortcut(estimator)


#: scikit-learn fills in, and sums, in the 32 bits of the training data.
FITTED_ON_32_BITS = {
    "an imputer": (make_pipeline(SimpleImputer(), RandomForestClassifier(3)), np.asarray),
    "an imputer whose statistics have 64 bits": (
        make_pipeline(SimpleImputer(), RandomForestClassifier(3)),
        csc_array,
    ),
    "a classifier": (LOGISTIC, np.asarray),
}


@pytest.mark.parametrize(("estimator", "form"), FITTED_ON_32_BITS.values(), ids=FITTED_ON_32_BITS)
def test_what_was_fitted_on_32_bits_has_no_shortcut(
    estimator: BaseEstimator, form: Callable[[np.ndarray], Any]
) -> None:
    inputs, labels = models.iris()
    estimator.fit(form(inputs.to_numpy(np.float32)), labels)
    with pytest.raises(NoShortcut, match="float64"):
        shortcut(estimator)


def test_a_subclass_has_no_shortcut() -> None:
    class Changed(StandardScaler):
        def transform(self, *args: Any, **kwargs: Any) -> Any:
            return -super().transform(*args, **kwargs)

    inputs, labels = models.iris()
    with pytest.raises(NoShortcut, match="Changed"):
        shortcut(make_pipeline(Changed(), LOGISTIC).fit(inputs, labels))


def test_columns_are_chosen_from_those_of_the_signature_in_its_order() -> None:
    inputs, labels = models.iris()
    with pytest.raises(NoShortcut, match="other columns"):
        shortcut(WITH_SHORTCUT["the loop's logistic"].fit(inputs, labels), models.NAMES[::-1])


@pytest.mark.parametrize("step", [StandardScaler(), SimpleImputer()], ids=repr)
def test_no_step_hands_on_a_number_that_is_not_finite(step: BaseEstimator) -> None:
    step.fit(models.iris()[0].to_numpy() * 1e-3)
    arithmetic = STEPS[type(step)](step, None)
    assert np.isfinite(arithmetic(np.ones((2, 4)))).all()
    for number in (np.inf, -np.inf):
        with pytest.raises(Doubtful):
            arithmetic(np.array([[1.0, number, 1.0, 1.0]]))


OVERFLOWING = {
    "the last step gets infinity": make_pipeline(StandardScaler(), LOGISTIC),
    "an imputer gets infinity": make_pipeline(StandardScaler(), SimpleImputer(), BOOSTING),
    "a scaler gets infinity": make_pipeline(StandardScaler(), StandardScaler(), BOOSTING),
    "32 bits are too few": ExtraTreesClassifier(3, random_state=1),
    "the scores overflow": LogisticRegression(C=1e9, max_iter=500),
}


@pytest.mark.parametrize("estimator", OVERFLOWING.values(), ids=OVERFLOWING)
def test_numbers_that_become_infinite_on_the_way_are_left_to_scikit_learn(estimator: BaseEstimator) -> None:
    inputs, labels = models.iris()
    quick = shortcut(estimator.fit(inputs * 1e-3, labels))
    assert quick.labels((inputs[:1] * 1e-3).to_numpy().tolist()) == ["setosa"]
    assert quick.labels([[1.7e308, -1.7e308, 1.7e308, 1.7e308]]) is None


def test_a_missing_value_without_imputer_is_left_to_scikit_learn() -> None:
    inputs, labels = models.iris()
    for name in ("logistic", "a classifier alone"):
        assert shortcut(WITH_SHORTCUT[name].fit(inputs, labels)).labels([[1.0, None, 1.0, 1.0]]) is None


@pytest.mark.parametrize("distance", [0.0, 1e-12])
def test_a_row_between_two_classes_is_left_to_scikit_learn(distance: float) -> None:
    inputs, labels = models.iris()
    kept = labels != "virginica"
    line = LOGISTIC.fit(inputs[kept], labels[kept])
    line.coef_, line.intercept_ = np.array([[1.0, -1.0, 0.0, 0.0]]), np.array([0.0])
    quick = shortcut(line)
    assert quick.labels([[3.0, 3.0 + distance, 1.0, 1.0]]) is None
    assert quick.labels([[3.0, 2.0, 1.0, 1.0], [2.0, 3.0, 1.0, 1.0]]) == ["versicolor", "setosa"]


def test_equal_votes_of_a_forest_are_left_to_scikit_learn() -> None:
    inputs = pd.DataFrame([[0.0] * 4, [1.0] * 4] * 2, columns=models.NAMES)
    quick = shortcut(RandomForestClassifier(4, bootstrap=False).fit(inputs, ["a", "b", "b", "b"]))
    assert quick.labels([[0.0] * 4]) is None
    assert quick.labels([[1.0] * 4]) == ["b"]
