"""A fitted scikit-learn pipeline as the bare arithmetic of its `predict`.

For one row scikit-learn spends nearly all of `predict` on names, dtypes and shapes of what passes from step
to step, which validation and the signature have settled before. A shortcut does the same numpy operations on
the same values. There is one for classifiers whose steps are all in STEPS, and it answers only what is beyond
doubt: where a value is not finite after a step, or two classes are so near that the last bits decide,
scikit-learn itself is asked. Before a shortcut serves, `proof` compares it with the model's own `predict`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from prediction_api.quick_reading import QuickReading

#: Scores nearer to each other than this share of the numbers they are summed from are no clear decision.
#: Rounding in another order changes a sum of n numbers by less than n · 2e-16 of them.
NEAR = 1e-9

Rows = np.ndarray
Step = Callable[[Rows], np.ndarray]
#: The columns a step gets, in order; None where it gets an array without names.
Names = list[str] | None


class Doubtful(Exception):
    """Values that scikit-learn itself must judge."""


class NoShortcut(Exception):
    """Why a model has no shortcut."""


@dataclass(frozen=True)
class Shortcut:
    """From the rows of a request to labels."""

    reading: QuickReading
    predict: Step

    @classmethod
    def of(cls, estimator: Any, reading: QuickReading) -> "Shortcut":
        """The shortcut of a fitted estimator; NoShortcut, or whatever an unknown form of it raises."""
        return cls(reading, _step(estimator, list(reading.names)))

    def labels(self, rows: list[Any]) -> list[Any] | None:
        """The label of each row as Python scalars; None where rules or scikit-learn must look at the rows."""
        array = self.reading.read(rows)
        if array is None:
            return None
        try:
            with np.errstate(all="ignore"):
                return self.predict(array).tolist()
        except Exception:  # whatever stops it, scikit-learn has the say and the reason
            return None


def _step(step: Any, names: Names) -> Step:
    if type(step) not in STEPS:
        raise NoShortcut(f"it does not know {type(step).__name__}")
    return STEPS[type(step)](step, names)


def _pipeline(pipeline: Pipeline, names: Names) -> Step:
    parts = [_step(step, None if place else names) for place, (_, step) in enumerate(pipeline.steps)]
    return lambda rows: reduce(lambda values, part: part(values), parts, rows)


def _columns(transformer: ColumnTransformer, names: Names) -> Step:
    if names is None or list(getattr(transformer, "feature_names_in_", ())) != names:
        raise NoShortcut("a ColumnTransformer chooses from other columns than the model's")
    if transformer.transformer_weights:
        raise NoShortcut("a ColumnTransformer has weights")
    places = {name: place for place, name in enumerate(names)}
    blocks = [
        (_places(columns, places), _step(step, columns))
        for _, step, columns in transformer.transformers_
        if step != "drop"
    ]
    return lambda rows: np.concatenate([step(rows[:, chosen]) for chosen, step in blocks], axis=1)


def _places(columns: Any, places: dict[str, int]) -> np.ndarray:
    """Where a block's columns stand; a single name, numbers, a slice or a mask have no shortcut."""
    if type(columns) is not list or not all(isinstance(name, str) for name in columns):
        raise NoShortcut("a ColumnTransformer chooses columns otherwise than by a list of names")
    return np.array([places[name] for name in columns])


def _check_doubles(step: Any, *dtypes: Any) -> None:
    """NoShortcut if a step was fitted on other numbers: scikit-learn rounds to theirs where it likes."""
    if any(dtype != np.float64 for dtype in dtypes):
        raise NoShortcut(f"a {type(step).__name__} was fitted on other numbers than float64")


def _imputer(imputer: SimpleImputer, _: Names) -> Step:
    statistics = imputer.statistics_
    _check_doubles(imputer, statistics.dtype, imputer._fill_dtype)
    if imputer.strategy not in {"mean", "median"} or imputer.add_indicator:
        raise NoShortcut("a SimpleImputer does more than put in the mean or median")
    if not (np.isfinite(statistics).all() and np.isnan(imputer.missing_values)):
        raise NoShortcut("a SimpleImputer drops columns, or replaces something else than missing values")
    return lambda rows: _finite(np.where(np.isnan(rows), statistics, rows))


def _scaler(scaler: StandardScaler, _: Names) -> Step:
    if not (scaler.with_mean and scaler.with_std):
        raise NoShortcut("a StandardScaler leaves out mean or scale")
    mean, scale = scaler.mean_, scaler.scale_
    _check_doubles(scaler, mean.dtype, scale.dtype)
    return lambda rows: _finite((rows - mean) / scale)


def _linear(classifier: Any, _: Names) -> Step:
    weights, intercept, classes = classifier.coef_.T, classifier.intercept_, classifier.classes_
    _check_doubles(classifier, weights.dtype, intercept.dtype)
    if len(classes) == 2:
        # One score, whose sign decides, is the score of the second class beside 0 for the first.
        weights = np.column_stack([np.zeros(len(weights)), weights])
        intercept = np.array([0.0, *intercept])
    sizes, intercept_size = np.abs(weights), np.abs(intercept)

    def predict(rows: Rows) -> np.ndarray:
        scores = rows @ weights + intercept
        summed = np.abs(rows) @ sizes + intercept_size
        return classes.take(_best(scores, NEAR * summed.max(axis=1, keepdims=True)))

    return predict


def _forest(forest: Any, _: Names) -> Step:
    if forest.n_outputs_ != 1:
        raise NoShortcut("a forest has several outputs")
    trees, classes = [tree.tree_ for tree in forest.estimators_], forest.classes_

    def predict(rows: Rows) -> np.ndarray:
        small = _finite(rows.astype(np.float32))
        return classes.take(_best(sum(tree.predict(small) for tree in trees) / len(trees), NEAR))

    return predict


def _boosting(classifier: HistGradientBoostingClassifier, _: Names) -> Step:
    """Its own `predict`: each row alone goes through the trees, always in the same order."""
    if hasattr(classifier, "feature_names_in_"):
        raise NoShortcut("HistGradientBoostingClassifier asks for named columns")
    return classifier.predict


def _finite(rows: Rows) -> Rows:
    if not np.isfinite(rows).all():
        raise Doubtful
    return rows


def _best(scores: np.ndarray, near: Any) -> np.ndarray:
    """The place of each row's highest score; Doubtful where another is as near as that."""
    highest = _finite(scores.max(axis=1, keepdims=True))
    if np.count_nonzero(scores >= highest - near) != len(scores):
        raise Doubtful
    return scores.argmax(axis=1)


#: Exactly these types: a subclass may do anything.
STEPS: dict[type, Callable[[Any, Names], Step]] = {
    Pipeline: _pipeline,
    ColumnTransformer: _columns,
    SimpleImputer: _imputer,
    StandardScaler: _scaler,
    LogisticRegression: _linear,
    SGDClassifier: _linear,
    RandomForestClassifier: _forest,
    ExtraTreesClassifier: _forest,
    HistGradientBoostingClassifier: _boosting,
}
