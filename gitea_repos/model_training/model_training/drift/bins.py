"""A column of training and of requests, counted in the same bins."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_BINS = 10  # deciles, as the index is commonly worked out
ROWS_A_BIN = 20  # at least, so that chance fills no bin twice as often as another one
MOST_CATEGORIES = 20  # the others are counted together
MISSING, OTHERS = "(missing)", "(others)"
LONGEST_LABEL = 40


@dataclass(frozen=True)
class Counts:
    """How many rows of training and of requests fell into each bin; labels are for people."""

    labels: list[str]
    training: np.ndarray
    requests: np.ndarray

    def filled(self) -> "Counts":
        """The same without bins that are empty on both sides."""
        kept = (self.training + self.requests) > 0
        labels = [label for label, keep in zip(self.labels, kept, strict=True) if keep]
        return Counts(labels, self.training[kept], self.requests[kept])


def quantile_bins(training: np.ndarray, requests: np.ndarray, different: int) -> Counts:
    """Numbers, in bins between the quantiles of training; the outer ones are open; NaN has its own.

    There are as many as training and the requests that differ from each other can fill.
    """
    known = training[~np.isnan(training)]
    number = max(min(MOST_BINS, min(len(known), different) // ROWS_A_BIN), 2)
    inner = np.linspace(0, 1, number + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner)) if len(known) else np.array([])
    if len(edges) and edges[0] == known.min():  # so many zeros, say, that what is below them needs a bin
        edges = np.insert(edges, 0, np.nextafter(edges[0], -np.inf))
    return _counted(edges, training, requests).filled()


def even_bins(training: np.ndarray, requests: np.ndarray, number: int = 20) -> Counts:
    """The same in bins of equal width, for the eye; what is far out is counted at the ends."""
    both = np.concatenate([each[~np.isnan(each)] for each in (training, requests)])
    low, high = np.quantile(both, [0.005, 0.995]) if len(both) else (0.0, 1.0)
    edges = np.unique(np.linspace(low, high, number + 1)[1:-1])
    counts = _counted(edges, training, requests)
    # A gap stays a gap; only what is missing nowhere needs no bar.
    kept = len(counts.labels) - (counts.training[-1] + counts.requests[-1] == 0)
    return Counts(counts.labels[:kept], counts.training[:kept], counts.requests[:kept])


def category_bins(training: list[Any], requests: list[Any]) -> Counts:
    """Categories, the most frequent of training by themselves."""
    seen, asked = Counter(map(_label, training)), Counter(map(_label, requests))
    names = [name for name, _ in seen.most_common() if name != MISSING][:MOST_CATEGORIES]
    known = {*names, MISSING}
    labels = [*names, OTHERS, MISSING]
    counts = [[each[name] for name in names] for each in (seen, asked)]
    for each, count in zip((seen, asked), counts, strict=True):
        others = sum(number for name, number in each.items() if name not in known)
        count += [others, each[MISSING]]
    return Counts(
        [label[:LONGEST_LABEL] for label in labels], np.array(counts[0]), np.array(counts[1])
    ).filled()


def _counted(edges: np.ndarray, training: np.ndarray, requests: np.ndarray) -> Counts:
    shown = [f"{edge:.4g}" for edge in edges]
    labels = [f"{low} to {high}" for low, high in zip(["-∞", *shown], [*shown, "∞"], strict=True)]
    counts = [_in_bins(edges, values) for values in (training, requests)]
    return Counts([*labels, MISSING], *counts)


def _in_bins(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    known = values[~np.isnan(values)]
    inside = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.append(inside, len(values) - len(known))


def _label(value: Any) -> str:
    """A category as text: 1 and 1.0 are one, and what is not there has a name."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
