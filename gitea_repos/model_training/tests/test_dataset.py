import json

import numpy as np
import pandas as pd
import pytest

from builders import IRIS, iris_frame, write_folder
from model_training.dataset import read_dataset
from model_training.errors import TrainingError
from model_training.schema import Schema

FRAME = pd.DataFrame({"age": [1, 2, 3, 4], "colour": ["red", None, "blue", "red"], "label": list("abab")})
SCHEMA = {"name": "toy", "target": "label", "columns": {"age": "numeric", "colour": "categorical"}}


def read(folder, frame=FRAME, schema=SCHEMA):
    return read_dataset(write_folder(folder, frame, frame, schema))


def test_columns_come_in_the_order_of_the_schema_and_in_the_types_of_their_kinds(tmp_path):
    frame = FRAME[["label", "colour", "age"]].assign(extra=1)
    rows = read(tmp_path, frame).train.rows
    assert list(rows) == ["age", "colour"]
    assert rows["age"].dtype == np.float64
    assert rows["colour"].tolist() == ["red", None, "blue", "red"]


def test_codes_of_a_category_stay_numbers_and_one_that_is_ever_empty_comes_as_a_double(tmp_path):
    codes = FRAME.assign(colour=[2, 0, 1, 2])
    dataset = read_dataset(write_folder(tmp_path, codes, codes.assign(colour=[2, None, 1, 2]), SCHEMA))
    assert dataset.train.rows["colour"].tolist() == [2, 0, 1, 2]
    assert dataset.train.rows["colour"].dtype == np.int64
    assert dataset.test.rows["colour"].dtype == np.float64
    assert dataset.test.rows["colour"].isna().sum() == 1


@pytest.mark.parametrize("labels", [["a", "b"], [0, 1], [True, False]])
def test_labels_stay_what_they_are(tmp_path, labels):
    dataset = read(tmp_path, FRAME.assign(label=labels * 2))
    assert dataset.train.labels.tolist() == labels * 2


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (FRAME.drop(columns="age"), "train.parquet lacks the columns age"),
        (FRAME.head(0), "train.parquet holds no rows"),
        (FRAME.assign(label=["a", None, "b", "a"]), "column 'label' has rows without a label"),
        (FRAME.assign(label="a"), "one class only in 'label' \\(a\\)"),
        (FRAME.assign(age=list("wxyz")), "column 'age' is numeric in schema.json but holds more"),
    ],
)
def test_unusable_rows_are_refused_with_file_column_and_fault(tmp_path, frame, reason):
    with pytest.raises(TrainingError, match=reason):
        read(tmp_path, frame)


def test_empty_texts_are_refused(tmp_path):
    schema = {**SCHEMA, "columns": {"colour": "text"}}
    with pytest.raises(TrainingError, match="text column 'colour' is empty in 1 rows"):
        read(tmp_path, schema=schema)


def test_a_damaged_parquet_file_is_named(tmp_path):
    write_folder(tmp_path, FRAME, FRAME, SCHEMA)
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(TrainingError, match=r"test.parquet is not a readable parquet file"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"name": "x"}, "needs name, target, columns"),
        ({**SCHEMA, "columns": {}}, "at least one column"),
        ({**SCHEMA, "columns": {"label": "numeric"}}, "not the target 'label'"),
        ({**SCHEMA, "columns": {"age": "date"}}, "has the kind 'date'; known: numeric, categorical, text"),
    ],
)
def test_a_wrong_schema_is_refused(tmp_path, schema, reason):
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(TrainingError, match=reason):
        Schema.read(tmp_path / "schema.json")


def test_the_fingerprint_changes_with_kind_order_and_target_but_not_with_the_name():
    schema = Schema(**IRIS)
    reordered = dict(reversed(IRIS["columns"].items()))
    assert schema.fingerprint == Schema("other", schema.target, schema.columns).fingerprint
    others = [
        ("class", schema.columns),
        (schema.target, reordered),
        (schema.target, {"sepal_length": "text"}),
    ]
    prints = {
        schema.fingerprint,
        *(Schema("iris", target, columns).fingerprint for target, columns in others),
    }
    assert len(prints) == 4


def test_a_target_of_one_row_is_enough_to_be_judged(tmp_path):
    write_folder(tmp_path, iris_frame(), iris_frame().head(1), IRIS)
    assert read_dataset(tmp_path).test.labels.tolist() == ["setosa"]
