import hashlib
import random

import pyarrow as pa
import pytest

from data_preprocessing import layout
from data_preprocessing.clean import clean_raw
from data_preprocessing.errors import Rejected
from data_preprocessing.params import load_params
from data_preprocessing.split import hash_row, split_clean, split_rows
from data_preprocessing.tables import read_table, read_version

OUTPUTS = (layout.TRAIN, layout.TEST, layout.SCHEMA)


def run() -> list[str]:
    """Clean and split, and return the hashes of the three outputs."""
    clean_raw()
    split_clean()
    return [hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() for path in OUTPUTS]


def rows_of(table: pa.Table) -> set[tuple]:
    return {tuple(row.values()) for row in table.to_pylist()}


@pytest.mark.usefixtures("project")
def test_shuffled_raw_rows_give_equal_bytes(iris):
    first = run()
    header, *rows = iris.splitlines()
    random.Random(3).shuffle(rows)
    layout.write_text(layout.RAW, "\n".join([header, *rows]))
    assert run() == first


@pytest.mark.usefixtures("project")
def test_the_order_of_columns_does_not_matter(iris):
    first = run()
    turned = [",".join(reversed(line.split(","))) for line in iris.splitlines()]
    layout.write_text(layout.RAW, "\n".join(turned))
    assert run() == first


@pytest.mark.usefixtures("project")
def test_a_row_keeps_its_side_when_others_come_and_go(iris):
    run()
    test_rows, train_rows = rows_of(read_table(layout.TEST)), rows_of(read_table(layout.TRAIN))
    header, *rows = iris.splitlines()
    more = [f"6.{n},3.{n},4.{n},1.{n},versicolor" for n in range(10)]
    layout.write_text(layout.RAW, "\n".join([header, *more, *rows[::2]]))
    run()
    assert not rows_of(read_table(layout.TEST)) & train_rows
    assert not rows_of(read_table(layout.TRAIN)) & test_rows


@pytest.mark.usefixtures("project")
def test_equal_features_never_land_on_both_sides(iris):
    header, *rows = iris.splitlines()
    relabelled = [row.replace("versicolor", "virginica") for row in rows]
    layout.write_text(layout.RAW, "\n".join([header, *rows, *relabelled]))
    layout.PARAMS.write_text(
        layout.PARAMS.read_text().replace("max_duplicate_share: 0.1", "max_duplicate_share: 1")
    )
    run()
    _, train, test = read_version(layout.PROCESSED.parents[1])
    features = [rows_of(side.drop_columns(["species"])) for side in (train, test)]
    assert train.num_rows + test.num_rows == 199
    assert not features[0] & features[1]


@pytest.mark.usefixtures("project")
def test_the_share_of_test_rows_is_about_what_was_asked():
    run()
    assert read_table(layout.TEST).num_rows == pytest.approx(0.2 * 149, abs=8)


@pytest.mark.usefixtures("project")
def test_a_class_missing_on_one_side_is_named():
    table = pa.Table.from_pylist(
        [{name: float(row) for name in load_params().features} | {"species": f"c{row}"} for row in range(3)]
    )
    with pytest.raises(Rejected, match=r"class 'c\d' has no row to (train|test): give it more rows"):
        split_rows(table, load_params())


def test_zero_has_one_hash_and_the_seed_salts_it():
    assert hash_row({"a": -0.0, "b": None}, 1) == hash_row({"b": None, "a": 0.0}, 1)
    assert hash_row({"a": 0.0}, 1) != hash_row({"a": 0.0}, 2)


def test_the_hash_is_the_one_of_earlier_releases():
    row = {"sepal_length": 5.1, "note": "ä", "vessels": 2, "chol": None}
    assert hash_row(row, 20).hex()[:16] == "483b3223919639d5"


@pytest.mark.usefixtures("mixed")
def test_the_schema_names_kinds_and_target():
    run()
    assert layout.read_json(layout.SCHEMA) == {
        "name": "heart",
        "target": "disease",
        "columns": {
            "age": "numeric",
            "chol": "numeric",
            "chest_pain": "categorical",
            "vessels": "categorical",
            "note": "text",
        },
    }
