"""The pipelines that params.yaml can name: features by column kind, then a classifier, stored as one."""

from collections.abc import Callable
from dataclasses import dataclass

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model_training.dataset import Split
from model_training.errors import TrainingError
from model_training.params import Params
from model_training.report import first_line
from model_training.schema import Schema


@dataclass(frozen=True)
class Recipe:
    """A classifier, the column kinds it can take and whether it needs dense features."""

    classifier: Callable[[], BaseEstimator]
    kinds: tuple[str, ...] = ("numeric", "categorical")
    dense: bool = False


PIPELINES = {
    "logistic_regression": Recipe(LogisticRegression),
    "random_forest": Recipe(RandomForestClassifier),
    "hist_gradient_boosting": Recipe(HistGradientBoostingClassifier, dense=True),
    "text_logistic_regression": Recipe(LogisticRegression, kinds=("numeric", "categorical", "text")),
}


def find_recipe(params: Params) -> Recipe:
    """The recipe that params.yaml names; raise TrainingError listing the known ones."""
    if params.pipeline not in PIPELINES:
        raise TrainingError(
            f"params.yaml: pipeline {params.pipeline!r} is unknown; known: {', '.join(PIPELINES)}."
        )
    recipe = PIPELINES[params.pipeline]
    if (params.text or params.searched("text")) and "text" not in recipe.kinds:
        raise TrainingError(
            f"params.yaml sets or searches text, but {params.pipeline} takes no text; "
            "remove it or change pipeline."
        )
    return recipe


def build_pipeline(params: Params, schema: Schema) -> Pipeline:
    """An unfitted pipeline for the schema's columns; raise TrainingError if the two do not fit."""
    recipe = find_recipe(params)
    _check_kinds(params.pipeline, recipe, schema)
    classifier = _configure(recipe.classifier(), "classifier", params)
    if "random_state" in classifier.get_params():
        classifier.set_params(random_state=params.seed)
    features = ColumnTransformer(_transformers(params, schema), sparse_threshold=0 if recipe.dense else 0.3)
    return Pipeline([("features", features), ("classifier", classifier)])


def fit_pipeline(params: Params, schema: Schema, train: Split) -> Pipeline:
    """A fitted pipeline; raise TrainingError with scikit-learn's reason if it refuses the values."""
    pipeline = build_pipeline(params, schema)
    try:
        return pipeline.fit(train.rows, train.labels)
    except ValueError as error:
        raise TrainingError(
            f"params.yaml: {params.pipeline} cannot be trained so: {first_line(error)}"
        ) from error


def _check_kinds(name: str, recipe: Recipe, schema: Schema) -> None:
    for column, kind in schema.columns.items():
        if kind not in recipe.kinds:
            able = [other for other, its in PIPELINES.items() if kind in its.kinds]
            raise TrainingError(
                f"Column {column!r} is {kind}, which {name} cannot take; set pipeline in params.yaml to "
                f"{', '.join(able)}."
            )


def _transformers(params: Params, schema: Schema) -> list[tuple]:
    numbers = Pipeline(
        [("impute", SimpleImputer(strategy="median", keep_empty_features=True)), ("scale", StandardScaler())]
    )
    groups = [
        ("numeric", numbers, schema.of_kind("numeric")),
        ("categorical", OneHotEncoder(handle_unknown="ignore"), schema.of_kind("categorical")),
    ]
    # A vectorizer takes one column, not a list of them.
    texts = [
        (f"text_{column}", _configure(TfidfVectorizer(), "text", params), column)
        for column in schema.of_kind("text")
    ]
    return [group for group in groups if group[2]] + texts


def _configure(estimator: BaseEstimator, section: str, params: Params) -> BaseEstimator:
    """The estimator with the section's values; what is searched must be known to it too."""
    values: dict = getattr(params, section)
    allowed = [name for name in estimator.get_params() if name != "random_state"]
    unknown = [str(name) for name in (*values, *params.searched(section)) if name not in allowed]
    if unknown:
        raise TrainingError(
            f"params.yaml: {section}.{unknown[0]} is unknown to {type(estimator).__name__}; "
            f"known: {', '.join(allowed)}."
        )
    return estimator.set_params(**values)
