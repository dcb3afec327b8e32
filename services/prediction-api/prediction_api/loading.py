"""From a folder with a logged model to a model that has proved itself, or a reason why not."""

import importlib.metadata
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import skops.io
import yaml

from prediction_api import logs
from prediction_api.allowed_types import ALLOWED_TYPES
from prediction_api.errors import Refusal
from prediction_api.identity import Identity
from prediction_api.model import Model, predict_body
from prediction_api.problems import Problem
from prediction_api.proof import with_shortcut
from prediction_api.signature import read_signature

#: So many rows of the input example are predicted before a model serves.
SMOKE_ROWS = 50
#: So many of them the OpenAPI document shows.
SHOWN_ROWS = 2


def servable() -> dict[str, Any]:
    """The library versions and types this service can serve; the gate compares models with it."""
    libraries = {name: importlib.metadata.version(name) for name in ("scikit-learn", "skops", "numpy")}
    return {"libraries": {"python": platform.python_version(), **libraries}, "types": sorted(ALLOWED_TYPES)}


def load(folder: Path, identity: Identity) -> Model:
    """Load the model in `folder` and predict with it once; Refusal gives the reason against it."""
    description = _describe(folder)
    model = Model(
        identity=identity,
        signature=read_signature(description.get("signature")),
        estimator=_load_estimator(_inside(folder, _model_path(description))),
        loaded_at=logs.now(),
    )
    example = _example(folder, description)
    expected = _smoke(model, example)
    model = replace(model, example=tuple(example or [model.signature.neutral_row()])[:SHOWN_ROWS])
    quick = with_shortcut(model, example)
    return quick if quick.shortcut else _with_arrays(model, example, expected)


def _describe(folder: Path) -> dict[str, Any]:
    try:
        description = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refusal(f"the file MLmodel cannot be read: {error}") from error
    if not isinstance(description, dict):
        raise Refusal("the file MLmodel does not describe a model")
    return description


def _model_path(description: dict[str, Any]) -> str:
    try:
        flavor = description["flavors"]["sklearn"]
        form, path = flavor["serialization_format"], flavor["pickled_model"]
    except (KeyError, TypeError):
        raise Refusal("it is no scikit-learn model; log it with mlflow.sklearn.log_model") from None
    if form != "skops" or not isinstance(path, str):
        raise Refusal(f"it is stored as {form}; log it with serialization_format='skops'")
    return path


def _inside(folder: Path, path: str) -> Path:
    target = (folder / path).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise Refusal(f"MLmodel names the file {path}, which is outside the model")
    return target


def _load_estimator(path: Path) -> Any:
    # A file made to harm can raise anything; whatever it raises is a reason not to serve it.
    try:
        untrusted = sorted(set(skops.io.get_untrusted_types(file=path)) - ALLOWED_TYPES)
        if untrusted:
            raise Refusal(f"it holds types that are not allowed here: {', '.join(untrusted)[:500]}")
        estimator = skops.io.load(path, trusted=sorted(ALLOWED_TYPES))
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"skops cannot load it: {type(error).__name__}: {_brief(error)}") from error
    if not callable(getattr(estimator, "predict", None)):
        raise Refusal(f"it is a {type(estimator).__name__}, which predicts nothing")
    return estimator


def _example(folder: Path, description: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The rows of the model's input example; None where it was logged without one that has columns."""
    info = description.get("saved_input_example_info")
    if not isinstance(info, dict) or info.get("type") != "dataframe":
        return None
    try:
        text = _inside(folder, str(info["artifact_path"])).read_text(encoding="utf-8")
        # MLflow writes a missing value as NaN, which JSON does not know; requests say null.
        example = json.loads(text, parse_constant=lambda _: None)
        return [dict(zip(example["columns"], row, strict=True)) for row in example["data"][:SMOKE_ROWS]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"its input example cannot be read: {_brief(error)}") from error


def _smoke(model: Model, example: list[dict[str, Any]] | None) -> list[Any]:
    rows = example or [model.signature.neutral_row()]
    of = "its input example" if example else "a neutral row, as it has no input example"
    try:
        predictions, _ = predict_body(model, json.dumps({"instances": rows}).encode(), SMOKE_ROWS)
    except Problem as problem:
        raise Refusal(f"it cannot predict {of}: {problem.detail}") from problem
    except Exception as error:
        raise Refusal(f"it fails on {of}: {type(error).__name__}: {_brief(error)}") from error
    if len(predictions) != len(rows):
        raise Refusal(f"it gave {len(predictions)} predictions for {len(rows)} rows of {of}")
    return predictions


def _with_arrays(model: Model, example: list[dict[str, Any]] | None, expected: list[Any]) -> Model:
    """The model taking arrays, where it shows on its example that it predicts the same from them.

    scikit-learn spends most of a one-row prediction on the names and dtypes of a DataFrame. The order of the
    columns is the signature's either way.
    """
    names = getattr(model.estimator, "feature_names_in_", None)
    if example is None or model.signature.array_dtype is None:
        return model
    if names is not None and list(names) != list(model.signature.names):
        return model
    quick = replace(model, takes_arrays=True)
    try:
        return quick if _smoke(quick, example) == expected else model
    except Refusal:
        return model


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
