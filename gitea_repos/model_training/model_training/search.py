"""The search that params.yaml may ask for: Optuna proposes parameters, cross-validation decides.

Only training rows are used: what a model is judged by, the test rows, it must not be chosen by.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

from model_training.dataset import Dataset
from model_training.errors import TrainingError
from model_training.params import Params
from model_training.pipelines import build_pipeline
from model_training.report import first_line
from model_training.space import SECTIONS

FOLDS = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tried:
    """One trial: its number from 0, when it began and its parameters by dotted name.

    `began` is in seconds since the epoch; `macro_f1` is the mean over the folds,
    None where these parameters cannot be trained.
    """

    number: int
    began: float
    params: dict[str, Any]
    macro_f1: float | None


@dataclass(frozen=True)
class Found:
    """The parameters to train with, and the mean macro F1 that chose them; None where none was searched."""

    params: Params
    macro_f1: float | None = None


def find_params(params: Params, dataset: Dataset, record: Callable[[Tried], None]) -> Found:
    """The parameters as they stand, or the best that the search finds; the same seed finds the same.

    Raises TrainingError where no trial could be trained.
    """
    if not params.search:
        return Found(params)
    import optuna  # not at the top: pyproject.toml says why

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=params.seed))
    trials, reasons = params.search["trials"], []

    def objective(trial: optuna.Trial) -> float:
        began, proposed, score = time.time(), _proposed(params, trial), None
        try:
            score = _score(proposed, dataset)
        except ValueError as error:  # scikit-learn refuses this combination; another one may do
            reasons.append(first_line(error))
        record(Tried(trial.number, began, _searched(params, proposed), score))
        log.info(
            "trial %d of %d: %s",
            trial.number + 1,
            trials,
            reasons[-1] if score is None else f"macro F1 {score:.3f}",
        )
        if score is None:
            raise optuna.TrialPruned
        return score

    study.optimize(objective, n_trials=trials)
    if len(reasons) == trials:
        raise TrainingError(f"params.yaml: no trial of the search could be trained: {reasons[-1]}")
    return Found(_proposed(params, study.best_trial), study.best_value)


def _proposed(params: Params, trial: Any) -> Params:
    """The parameters with what the trial chose; a finished trial chooses what it chose before."""
    chosen = {
        part: {name: _choice(trial, f"{part}.{name}", space) for name, space in params.searched(part).items()}
        for part in SECTIONS
    }
    return replace(params, **{part: getattr(params, part) | chosen[part] for part in SECTIONS})


def _choice(trial: Any, name: str, space: Any) -> Any:
    if isinstance(space, list | tuple):
        # Optuna knows plain values only; a pair such as ngram_range is one of a list by its place.
        value = space[trial.suggest_categorical(name, range(len(space)))]
        return tuple(value) if isinstance(value, list) else value
    low, high, step, log_scale = space["low"], space["high"], space.get("step"), space.get("log", False)
    if all(isinstance(value, int) for value in (low, high, step or 1)):
        return trial.suggest_int(name, low, high, step=step or 1, log=log_scale)
    return trial.suggest_float(name, low, high, step=step, log=log_scale)


def _searched(params: Params, proposed: Params) -> dict[str, Any]:
    return {
        f"{part}.{name}": getattr(proposed, part)[name] for part in SECTIONS for name in params.searched(part)
    }


def _score(params: Params, dataset: Dataset) -> float:
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=params.seed)
    pipeline, train = build_pipeline(params, dataset.schema), dataset.train
    scores = cross_val_score(
        pipeline, train.rows, train.labels, scoring="f1_macro", cv=folds, error_score="raise"
    )
    return float(np.mean(scores))
