"""Pictures of a data version: classes, numeric columns by class, categories by class."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ACROSS = 3
MOST_PANELS = 24
MOST_CATEGORIES = 12
MOST_CLASSES = 8
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#000000")


def draw_figures(schema: dict, train: pa.Table, test: pa.Table, folder: Path) -> list[str]:
    """Write the PNG files below the folder and return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    both = pa.concat_tables([train, test])
    target = np.array([str(label) for label in both[schema["target"]].to_pylist()])
    figures = {"classes.png": draw_classes(train[schema["target"]], test[schema["target"]])}
    for kind, name, draw in (
        ("numeric", "numbers.png", draw_numbers),
        ("categorical", "categories.png", draw_categories),
    ):
        columns = [column for column, its_kind in schema["columns"].items() if its_kind == kind]
        if columns:
            figures[name] = _draw_panels(columns[:MOST_PANELS], both, target, draw)
    for name, figure in figures.items():
        FigureCanvasAgg(figure).print_png(folder / name, metadata={"Software": None})
    return list(figures)


def draw_classes(train: pa.ChunkedArray, test: pa.ChunkedArray) -> Figure:
    """Draw how many rows each class has, to train and to test."""
    sides = Counter(train.to_pylist()), Counter(test.to_pylist())
    labels = sorted(sides[0] | sides[1])
    figure = Figure(figsize=(6, 1.2 + 0.4 * len(labels)), layout="constrained")
    axes = figure.add_subplot()
    start = np.zeros(len(labels))
    for side, counts, colour in zip(("train", "test"), sides, COLOURS, strict=False):
        rows = np.array([counts[label] for label in labels])
        bars = axes.barh([str(label) for label in labels], rows, left=start, color=colour, label=side)
        axes.bar_label(bars, label_type="center", color="white")
        start += rows
    axes.invert_yaxis()
    axes.set(title="Rows of each class", xlabel="rows")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def draw_numbers(axes: Axes, column: pa.ChunkedArray, target: np.ndarray) -> None:
    """Draw a histogram of a numeric column, the classes stacked."""
    values = column.cast(pa.float64()).to_numpy()
    kept = ~np.isnan(values)
    labels = _list_classes(target)
    groups = [values[kept & (target == label)] for label in labels]
    axes.hist(groups, bins=20, stacked=True, color=_colour(labels), label=labels)


def draw_categories(axes: Axes, column: pa.ChunkedArray, target: np.ndarray) -> None:
    """Draw the rows of the most frequent categories, the classes stacked."""
    values = np.array(["(null)" if value is None else str(value) for value in column.to_pylist()])
    categories = [value for value, _ in Counter(values.tolist()).most_common(MOST_CATEGORIES)]
    start = np.zeros(len(categories))
    labels = _list_classes(target)
    for label, colour in zip(labels, _colour(labels), strict=True):
        rows = np.array([np.sum((values == category) & (target == label)) for category in categories])
        axes.barh(
            [_shorten(category) for category in categories], rows, left=start, color=colour, label=label
        )
        start += rows
    axes.invert_yaxis()


def _draw_panels(columns: list[str], both: pa.Table, target: np.ndarray, draw) -> Figure:
    across = min(ACROSS, math.isqrt(len(columns) - 1) + 1)
    down = -(-len(columns) // across)
    figure = Figure(figsize=(4 * across, 0.6 + 2.8 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for name, axes in zip(columns, panels, strict=False):
        draw(axes, both[name], target)
        axes.set_title(_shorten(name))
    for axes in panels[len(columns) :]:
        axes.set_axis_off()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _list_classes(target: np.ndarray) -> list[str]:
    """Return the classes by name; of very many, the most frequent ones."""
    return sorted(label for label, _ in Counter(target.tolist()).most_common(MOST_CLASSES))


def _colour(labels: list[str]) -> list[str]:
    return list(COLOURS[: len(labels)])


def _shorten(text: str) -> str:
    """Keep a label short, and a dollar sign from starting a formula."""
    return (text if len(text) <= 24 else text[:23] + "…").replace("$", r"\$")
