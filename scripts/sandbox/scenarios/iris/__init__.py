"""Flowers: what the sandbox begins with. Its two params.yaml are those that the repositories start with."""

from sandbox.scenarios.parts import Scenario, as_csv
from sandbox.settings import CODE, DATA, ROOT

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def raw() -> bytes:
    """The 150 flowers of scikit-learn as CSV."""
    from sklearn.datasets import load_iris  # takes a second; only the first `make up` needs it

    bunch = load_iris()
    labels = [str(bunch.target_names[index]) for index in bunch.target]
    rows = [[*map(float, row), label] for row, label in zip(bunch.data, labels, strict=True)]
    return as_csv([*COLUMNS, "species"], rows)


SCENARIO = Scenario(
    name="iris",
    about="the species of a flower from four measures (150 rows of scikit-learn)",
    raw_file="iris.csv",
    raw=raw,
    params={name: ROOT / "gitea_repos" / name / "params.yaml" for name in (DATA, CODE)},
    example=dict(zip(COLUMNS, [5.1, 3.5, 1.4, 0.2], strict=True)),
)
