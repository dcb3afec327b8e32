"""How far requests are from training, column by column."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from model_training.drift.bins import Counts, category_bins, even_bins, quantile_bins
from model_training.schema import Schema

#: Fewer are no sample.
LEAST_DIFFERENT = 20
MASK = "***"  # what the prediction log holds of a masked column


@dataclass(frozen=True)
class Column:
    """The scores of one column, and its counts as they are drawn.

    `ks` and `p_value` are None where there is no order: of categories. `scored` says whether the column
    counts for the score of all; `note` why not.
    """

    psi: float
    ks: float | None
    p_value: float | None
    drawn: Counts
    scored: bool = True
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The column in the task's result."""
        return {"psi": self.psi, "ks": self.ks, "p_value": self.p_value, "scored": self.scored}


def judge_columns(schema: Schema, training: pd.DataFrame, inputs: list[dict[str, Any]]) -> dict[str, Column]:
    """Every column that can be judged, by the rows that the log does not mask.

    Some are and some are not where the setting changed, or where a client sends the mask itself.
    """
    found, different = {}, count_different(inputs)
    for name, kind in schema.columns.items():
        asked = [value for value in (row.get(name) for row in inputs) if value != MASK]
        if len(asked) >= LEAST_DIFFERENT:
            found[name] = JUDGES[kind](training[name].tolist(), asked, min(different, len(asked)))
    return found


def count_different(inputs: list[dict[str, Any]]) -> int:
    """How many requests differ from each other: who asks the same again adds no evidence."""
    return len({json.dumps(row, sort_keys=True) for row in inputs})


def population_stability_index(counts: Counts, different: int) -> float:
    """How far two distributions over the same bins are apart, less what chance alone adds; not below 0.

    PSI = sum over the bins of (q - p) ln(q / p), p and q being the shares of training and of requests: the
    divergence of H. Jeffreys, Proc. R. Soc. A 186 (1946); as an index of stability with 0.1 and 0.2 for
    "some" and "much" N. Siddiqi, Credit Risk Scorecards (2006). An empty bin counts as half a row, since the
    logarithm of 0 is none.

    Where nothing drifts, PSI / (1/N + 1/M) of N and M rows follows chi-squared with B - 1 degrees of freedom
    (B. Yurdakul, J. Naranjo, Journal of Risk Model Validation 14 (2020)), whose mean is B - 1. That mean is
    taken off, M being the requests that differ: one that is asked again is not drawn again.
    """
    p, q = _shares(counts.training), _shares(counts.requests)
    index = float(np.sum((q - p) * np.log(q / p)))
    chance = (len(p) - 1) * (1 / counts.training.sum() + 1 / different)
    return max(index - float(chance), 0.0)


def kolmogorov_smirnov(training: np.ndarray, requests: np.ndarray) -> tuple[float | None, float | None]:
    """The largest distance of the two empirical distribution functions, and its p-value; without NaN.

    scipy.stats.ks_2samp, two-sided, asymptotic: J. L. Hodges, Arkiv for Matematik 3 (1958). With ties, as of
    whole numbers, the p-value is too large rather than too small. None where one side has no number.
    """
    known = [each[~np.isnan(each)] for each in (training, requests)]
    if not all(map(len, known)):
        return None, None
    found = stats.ks_2samp(*known, method="asymp")
    return float(found.statistic), float(found.pvalue)


def _numeric(training: list[Any], asked: list[Any], different: int) -> Column:
    return _of_numbers(_doubles(training), _doubles(asked), different)


def _text(training: list[Any], asked: list[Any], different: int) -> Column:
    """Texts by their length in characters: a sign of another source, but no measure of what they say."""
    judged = _of_numbers(_lengths(training), _lengths(asked), different)
    note = "length in characters; left out of the score, for it does not tell what a text says"
    return Column(judged.psi, judged.ks, judged.p_value, judged.drawn, scored=False, note=note)


def _categorical(training: list[Any], asked: list[Any], different: int) -> Column:
    counts = category_bins(training, asked)
    return Column(population_stability_index(counts, different), None, None, counts)


def _of_numbers(training: np.ndarray, asked: np.ndarray, different: int) -> Column:
    index = population_stability_index(quantile_bins(training, asked, different), different)
    return Column(index, *kolmogorov_smirnov(training, asked), even_bins(training, asked))


def _doubles(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype="float64")


def _lengths(texts: list[Any]) -> np.ndarray:
    return _doubles([None if text is None else len(str(text)) for text in texts])


def _shares(counts: np.ndarray) -> np.ndarray:
    rows = np.where(counts == 0, 0.5, counts)
    return rows / rows.sum()


JUDGES = {"numeric": _numeric, "categorical": _categorical, "text": _text}
