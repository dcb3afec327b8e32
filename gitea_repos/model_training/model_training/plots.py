"""The two pictures of a run. Figures are drawn without pyplot, so no display and no global state."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model_training.evaluation import Evaluation, LearningPoint

# Above this many classes, numbers in the cells are too small to read.
NUMBERED_CLASSES = 25


def draw_confusion_matrix(evaluation: Evaluation, path: Path) -> None:
    """Write a picture of who was taken for whom; colour is the share of the true class."""
    size = min(4 + 0.5 * len(evaluation.labels), 16)
    figure, axes = _canvas(size + 1, size)
    counts = evaluation.confusion
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class")
    ticks, names = range(len(evaluation.labels)), [str(label) for label in evaluation.labels]
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    accuracy = evaluation.metrics["accuracy"]
    axes.set(xlabel="predicted", ylabel="true", title=f"{counts.sum()} test rows, accuracy {accuracy:.3f}")
    if len(names) <= NUMBERED_CLASSES:
        _number_cells(axes, counts, shares)
    _save(figure, path)


def draw_learning_curve(points: list[LearningPoint], path: Path) -> None:
    """Write a picture of macro F1 over the number of training rows: would more data help?"""
    figure, axes = _canvas(6.5, 4.5)
    rows = [point.rows for point in points]
    axes.plot(rows, [point.train for point in points], "o--", color="tab:gray", label="rows trained on")
    axes.plot(rows, [point.test for point in points], "o-", color="tab:blue", label="test rows")
    axes.set(xlabel="training rows", ylabel="macro F1", ylim=(0, 1.05), title="Learning curve")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _save(figure, path)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _number_cells(axes: Axes, counts, shares) -> None:
    for row, column in ((r, c) for r in range(len(counts)) for c in range(len(counts))):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, counts[row, column], ha="center", va="center", color=colour)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    # No software stamp: an equal picture is an equal file.
    figure.savefig(path, dpi=120, metadata={"Software": None})
