import pytest
from samples import MIXED_PARAMS

from data_preprocessing import layout
from data_preprocessing.clean import clean_raw
from data_preprocessing.params import load_params
from data_preprocessing.smoke import make_table
from data_preprocessing.split import split_clean

IDS = "age: {kind: numeric, dtype: integer, min: 1, max: 150, unique: true}"
WORDS_ALONE = """
raw: {file: votes.csv, null_values: [maybe]}
dataset: {name: votes, target: party}
columns:
  tax: {kind: categorical, allowed: ["no", "yes", maybe]}
  trade: {kind: categorical, allowed: [free, fair, none], nulls: keep}
  schools: {kind: categorical, dtype: integer, allowed: [0, 1, 2, 3]}
  party: {kind: categorical, allowed: [left, right]}
rules: {min_rows: 30, min_class_rows: 100}
cleaning: {duplicates: keep}
split: {test_share: 0.5, seed: 1}
"""


def run() -> int:
    """Make up the table, run clean and split, and return how many rows are kept."""
    make_table(load_params(), layout.RAW)
    clean_raw()
    split_clean()
    return layout.read_json(layout.CLEANING)["rows_clean"]


@pytest.mark.usefixtures("project")
def test_the_made_up_table_keeps_the_rules_of_iris():
    assert run() >= 200


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("old", "new", "least"),
    [
        ("{", "{", 200),
        ("test_share: 0.25", "test_share: 0.01", 3000),
        ("min_class_rows: 20", "min_class_rows: 300", 1200),
        ("age: {kind: numeric, dtype: integer, min: 0, max: 120}", IDS, 150),
        ("file: patients.csv", "query: SELECT 1, url_env: RAW_DATABASE_URL", 200),
        (MIXED_PARAMS, WORDS_ALONE, 400),
    ],
    ids=["as it is", "few to test", "large classes", "few unique values", "query", "words alone"],
)
def test_the_made_up_table_keeps_the_rules_of_any_data_set(old, new, least):
    assert old in MIXED_PARAMS
    layout.write_text(layout.PARAMS, MIXED_PARAMS.replace(old, new))
    assert run() >= least
