"""Models as a training run would log them: real estimators, stored by MLflow in skops format."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, SplineTransformer, StandardScaler

from prediction_api.identity import Identity

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
TREE = "sklearn.tree._tree.Tree"
SPLINE = ["scipy._lib.array_api_compat.numpy._aliases.asarray", "scipy.interpolate._bsplines.BSpline"]


@dataclass
class Trained:
    """An estimator with what MLflow wants to know to log it."""

    estimator: Any
    inputs: pd.DataFrame
    types: list[str] = field(default_factory=list)
    signed: bool = True
    example: bool = True

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of MLflow's log_model and save_model."""
        labels = self.estimator.predict(self.inputs)
        return {
            "sk_model": self.estimator,
            "serialization_format": "skops",
            "skops_trusted_types": self.types,
            "pip_requirements": ["scikit-learn"],
            "signature": infer_signature(self.inputs, labels) if self.signed else None,
            "input_example": self.inputs[:3] if self.example else None,
        }


def iris() -> tuple[pd.DataFrame, pd.Series]:
    """The iris data with plain column names and string labels."""
    data = load_iris(as_frame=True)
    return data.data.set_axis(NAMES, axis=1), pd.Series(data.target_names[data.target].tolist())


def logistic(**options: Any) -> Trained:
    inputs, labels = iris()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return Trained(model.fit(inputs, labels), inputs, **options)


def forest() -> Trained:
    inputs, labels = iris()
    model = RandomForestClassifier(n_estimators=5, random_state=1)
    return Trained(model.fit(inputs, labels), inputs, [TREE])


def spline() -> Trained:
    """A sound model that holds types which are not on the API's list."""
    inputs, labels = iris()
    model = make_pipeline(SplineTransformer(), LogisticRegression(max_iter=500))
    return Trained(model.fit(inputs, labels), inputs, SPLINE)


def constant(label: str) -> Trained:
    """A model that gives one label, so that an answer tells which version made it."""
    inputs, labels = iris()
    labels = labels.replace("setosa", label)
    return Trained(DummyClassifier(strategy="constant", constant=label).fit(inputs, labels), inputs)


def mixed() -> Trained:
    """Numbers, whole numbers, categories and flags, some of them missing."""
    inputs = pd.DataFrame(
        {
            "age": [30.0, None, 50.0, 60.0] * 5,
            "visits": [1, 2, 3, 4] * 5,
            "chest": ["typical", "silent", None, "silent"] * 5,
            "smoker": [True, False, True, False] * 5,
        }
    )
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    columns = make_column_transformer(
        (numbers, ["age", "visits"]), (words, ["chest"]), ("passthrough", ["smoker"])
    )
    model = make_pipeline(columns, LogisticRegression())
    return Trained(model.fit(inputs, ["sick", "well"] * 10), inputs, ["numpy.dtype"])


def kinds() -> Trained:
    """A double, a whole number, a text and a flag; age and text may be missing. Any value has an answer."""
    inputs = pd.DataFrame(
        {
            "age": [30.0, None, 50.0, 60.0] * 5,
            "visits": [1, 2, 3, 4] * 5,
            "chest": ["typical", "silent", None, "silent"] * 5,
            "smoker": [True, False, True, False] * 5,
        }
    )
    numbers = make_pipeline(SimpleImputer(), QuantileTransformer(n_quantiles=10))
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer(
        (numbers, ["age", "visits"]), (words, ["chest"]), ("passthrough", ["smoker"])
    )
    model = make_pipeline(columns, LogisticRegression())
    return Trained(model.fit(inputs, ["sick", "well"] * 10), inputs, ["numpy.dtype"])


def text() -> Trained:
    inputs = pd.DataFrame({"text": ["a good film", "a bad film", "good", "bad"] * 5})
    columns = make_column_transformer((TfidfVectorizer(), "text"))
    model = make_pipeline(columns, LogisticRegression())
    return Trained(model.fit(inputs, [1, 0] * 10), inputs)


def identity(version: str, **changes: Any) -> Identity:
    """A made-up identity whose fields all differ."""
    commit = hashlib.sha1(version.encode()).hexdigest()
    fields = {
        "name": "iris",
        "version": version,
        "run_id": "r" * 32,
        "source": f"models:/m-{version}",
        "created": 1,
    }
    return Identity(**(fields | {"git_sha": commit, "data_version": commit[:12]} | changes))
