"""A loaded model and the way from the bytes of a request to the bytes of an answer, without Flask."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from prediction_api.body import decode
from prediction_api.identity import Identity, model_headers
from prediction_api.problems import Problem
from prediction_api.shortcut import Shortcut
from prediction_api.signature import Signature
from prediction_api.validation import invalid, read_instances, validate

#: So many classes are counted one by one; the rest as `other`.
MAX_COUNTED_CLASSES = 100


@dataclass(frozen=True, eq=False)
class Model:
    """One loaded version: all that an answer needs, so that no answer can mix two versions."""

    identity: Identity
    estimator: Any
    signature: Signature
    loaded_at: str
    #: Whether the model was shown to predict the same from an array as from a DataFrame.
    takes_arrays: bool = False
    #: A quicker way to the estimator's labels, if there is one that was proven.
    shortcut: Shortcut | None = None
    #: A few rows that it was shown to predict when it was loaded.
    example: tuple[dict[str, Any], ...] = ()

    @cached_property
    def labels(self) -> tuple[str, str, str, str]:
        """The identity's labels, made once."""
        return self.identity.labels

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """The headers every answer of this model carries."""
        return model_headers(self.labels)

    @cached_property
    def counted(self) -> dict[Any, str]:
        """Training label to metric label; empty for a model without a flat list of classes."""
        classes = getattr(self.estimator, "classes_", None)
        if getattr(classes, "ndim", 0) != 1:
            return {}
        names = classes.tolist()[:MAX_COUNTED_CLASSES]
        return {name: str(name).encode("utf-8", "replace").decode()[:100] for name in names}

    def predict(self, rows: list[Any]) -> list[Any]:
        """The label of each row, as Python scalars; Problem 422 if rules or model refuse the values."""
        labels = self.shortcut.labels(rows) if self.shortcut else None
        return self._predict(validate(rows, self.signature)) if labels is None else labels

    def _predict(self, table: list[list[Any]]) -> list[Any]:
        try:
            return self.estimator.predict(self._inputs(table)).tolist()
        except (ValueError, TypeError) as error:
            # Say, a category that was not in the training data: the values are at fault, not the service.
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            detail = f"the model refuses these values: {reason}"
            raise invalid([{"field": "instances", "rule": "model", "row": None, "detail": detail}]) from error

    def _inputs(self, table: list[list[Any]]) -> Any:
        return self.signature.array(table) if self.takes_arrays else self.signature.frame(table)

    def confidences(self, rows: list[Any]) -> list[float | None]:
        """The largest class probability of each row, for the log: never asked for in a request.

        None for a model that knows none. Raises whatever the model does.
        """
        probabilities = getattr(self.estimator, "predict_proba", None)
        if probabilities is None:
            return [None] * len(rows)
        array = self.shortcut.reading.read(rows) if self.shortcut else None
        if array is None:
            inputs = self._inputs(validate(rows, self.signature))
        else:
            inputs = pd.DataFrame(array, columns=self.signature.index, copy=False)
        largest = probabilities(inputs).max(axis=1)
        return [confidence if confidence == confidence else None for confidence in largest.tolist()]

    def count(self, predictions: list[Any]) -> Counter[str]:
        """How often each metric label occurs; the set of metric labels is bounded."""
        if not self.counted:
            return Counter({"value": len(predictions)})
        return Counter(self.counted.get(label, "other") for label in predictions)


def predict_body(model: Model, raw: bytes, max_rows: int) -> tuple[list[Any], bytes]:
    """Predictions and the answer's body for a request's body; Problem says what is wrong with it."""
    predictions = model.predict(read_instances(decode(raw), model.signature, max_rows))
    return predictions, encode(predictions)


def smoke_body(model: Model, max_rows: int) -> bytes:
    """The answer's body for the model's own example, read and checked as a client's would be."""
    body = json.dumps({"instances": model.example[:max_rows]}).encode()
    return predict_body(model, body, max_rows)[1]


def encode(predictions: list[Any]) -> bytes:
    """The answer's body; Problem 500 if the model gave something that JSON cannot say."""
    try:
        return _ENCODER.encode({"predictions": predictions}).encode()
    except (ValueError, TypeError) as error:
        raise Problem("unexpected", f"The model's prediction is no JSON value: {error}.") from error


_ENCODER = json.JSONEncoder(allow_nan=False)
