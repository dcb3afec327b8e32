"""How good a fitted pipeline is on given rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)
from sklearn.pipeline import Pipeline

from model_training.dataset import Dataset, Split

LEARNING_FRACTIONS = (0.1, 0.25, 0.5, 0.75, 1.0)
VERIFICATION_ROWS = 50


@dataclass(frozen=True)
class Evaluation:
    """Figures over all rows, figures by class, and who was taken for whom."""

    metrics: dict[str, float]
    per_class: dict[str, dict[str, float]]
    labels: list[Any]
    confusion: np.ndarray


@dataclass(frozen=True)
class LearningPoint:
    """Macro F1 on the rows learnt from and on the test rows, after so many training rows."""

    rows: int
    train: float
    test: float


def evaluate(pipeline: Pipeline, split: Split) -> Evaluation:
    """Judge a pipeline on rows it was not trained on (or was, to see how much it remembers)."""
    labels = np.union1d(pipeline.classes_, split.labels)
    predicted = pipeline.predict(split.rows)
    metrics = {
        "accuracy": float(accuracy_score(split.labels, predicted)),
        "macro_f1": _macro_f1(split.labels, predicted),
        "log_loss": float(log_loss(split.labels, _probabilities(pipeline, split, labels), labels=labels)),
    }
    per_class = _per_class(split.labels, predicted, labels)
    confusion = confusion_matrix(split.labels, predicted, labels=labels)
    return Evaluation(metrics, per_class, labels.tolist(), confusion)


def learning_curve(pipeline: Pipeline, dataset: Dataset, seed: int) -> list[LearningPoint]:
    """Train the same pipeline on growing parts of the training rows; parts too small are left out."""
    order = np.random.default_rng(seed).permutation(len(dataset.train.labels))
    sizes = sorted({round(len(order) * fraction) for fraction in LEARNING_FRACTIONS})
    points = (_learn(pipeline, dataset, np.sort(order[:size])) for size in sizes)
    return [point for point in points if point]


def verification(pipeline: Pipeline, test: Split) -> dict[str, list]:
    """Test rows and the labels the pipeline gives them, for a server to prove that it serves this model."""
    rows = test.rows.head(VERIFICATION_ROWS)
    plain = rows.astype(object).where(rows.notna(), None)
    return {"instances": plain.to_dict("records"), "predictions": pipeline.predict(rows).tolist()}


def _learn(pipeline: Pipeline, dataset: Dataset, part: np.ndarray) -> LearningPoint | None:
    train, test = dataset.train, dataset.test
    rows, labels = train.rows.iloc[part], train.labels[part]
    try:
        fitted = pipeline if len(part) == len(train.labels) else clone(pipeline).fit(rows, labels)
    except ValueError:
        # One class only, no rows, no word frequent enough: the part is too small to learn from.
        return None
    figures = (_macro_f1(its.labels, fitted.predict(its.rows)) for its in (Split(rows, labels), test))
    return LearningPoint(len(part), *figures)


def _macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    return float(f1_score(labels, predicted, average="macro", zero_division=0))


def _probabilities(pipeline: Pipeline, split: Split, labels: np.ndarray) -> np.ndarray:
    """Probabilities with a column for every label, zero for one the pipeline has never seen."""
    known = pipeline.predict_proba(split.rows)
    full = np.zeros((len(known), len(labels)))
    full[:, np.searchsorted(labels, pipeline.classes_)] = known
    return full


def _per_class(labels: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> dict[str, dict[str, float]]:
    names = ("precision", "recall", "f1", "support")
    figures = zip(
        *precision_recall_fscore_support(labels, predicted, labels=classes, zero_division=0), strict=True
    )
    rows = [dict(zip(names, map(float, row), strict=True)) for row in figures]
    return {
        str(name): {**row, "support": int(row["support"])}
        for name, row in zip(classes.tolist(), rows, strict=True)
    }
