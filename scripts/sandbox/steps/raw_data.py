"""The raw data of the first scenario: scikit-learn's iris, written as CSV into the data store."""

import csv
from io import StringIO

from sandbox.clients.s3 import S3Store
from sandbox.context import Context

NAME = "iris.csv"
SAID = f"{NAME} (150 rows)"


def into_folder(context: Context) -> str:
    """Write iris.csv where there is none; a file that is there is the user's."""
    target = context.endpoints.data.folder / NAME
    if target.exists():
        return ""
    draft = target.with_suffix(".new")
    draft.write_text(_csv())
    draft.replace(target)
    return SAID


def into_bucket(context: Context) -> str:
    """The same for the object store."""
    store = S3Store(context.settings.minio_port, context.settings.minio_root_password)
    return SAID if store.put_object_if_absent("data", NAME, _csv) else ""


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
