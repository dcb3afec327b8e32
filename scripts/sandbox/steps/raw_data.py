"""The raw data of the first scenario: scikit-learn's iris, written as CSV into the data store."""

import csv
from io import BytesIO, StringIO

from sandbox.context import Context
from sandbox.raw_store import raw_store

NAME = "iris.csv"
SAID = f"{NAME} (150 rows)"


def run(context: Context) -> str:
    """Write iris.csv where there is none; a file that is there is the user's."""
    store = raw_store(context)
    if store.has(NAME):
        return ""
    store.put(NAME, BytesIO(_csv().encode()))
    return SAID


def _csv() -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(_iris())
    return text.getvalue()


def _iris() -> list[list[str | float]]:
    from sklearn.datasets import load_iris  # takes a second; only the first `make up` needs it

    bunch = load_iris()
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    labels = [str(bunch.target_names[index]) for index in bunch.target]
    rows: list[list[str | float]] = [[*header]]
    rows += [[*map(float, row), label] for row, label in zip(bunch.data, labels, strict=True)]
    return rows
