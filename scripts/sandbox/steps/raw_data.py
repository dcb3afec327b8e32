"""The raw data of the first scenario: scikit-learn's iris, written as CSV into the data store."""

import csv

from sandbox.context import Context


def run(context: Context) -> str:
    """Write iris.csv where there is none; a file that is there is the user's."""
    target = context.endpoints.data.folder / "iris.csv"
    if target.exists():
        return ""
    draft = target.with_suffix(".new")
    with draft.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(_iris())
    draft.replace(target)
    return f"raw data: {target.name} (150 rows)"


def _iris() -> list[list[str | float]]:
    from sklearn.datasets import load_iris  # takes a second; only the first `make up` needs it

    bunch = load_iris()
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    labels = [str(bunch.target_names[index]) for index in bunch.target]
    rows: list[list[str | float]] = [[*header]]
    rows += [[*map(float, row), label] for row, label in zip(bunch.data, labels, strict=True)]
    return rows
