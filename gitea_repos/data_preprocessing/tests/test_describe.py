import shutil

import pyarrow as pa
import pytest

from data_preprocessing import layout
from data_preprocessing.clean import clean_raw
from data_preprocessing.describe import describe_data
from data_preprocessing.description import describe_numbers, list_metrics
from data_preprocessing.difference import compare_versions, save_difference
from data_preprocessing.split import split_clean


def run() -> dict:
    clean_raw()
    split_clean()
    describe_data()
    return layout.read_json(layout.DESCRIPTION)


@pytest.mark.usefixtures("mixed")
def test_every_kind_of_column_is_described_and_drawn():
    description = run()
    text = layout.DESCRIPTION_TEXT.read_text()
    assert description["columns"]["age"]["min"] >= 20
    assert description["columns"]["vessels"]["distinct"] == 4
    assert description["columns"]["note"]["max_length"] == len("said 'fine'; then left")
    assert description["classes"]["no"]["share"] == pytest.approx(0.5, abs=0.02)
    assert "dropped 0 exact copies and 6 rows with nulls, and kept 294" in text
    assert {path.name for path in layout.FIGURES.iterdir()} == {
        "classes.png",
        "numbers.png",
        "categories.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in layout.FIGURES.iterdir())
    for name in description["columns"]:
        assert f"| {name} |" in text


def test_a_column_without_values_has_no_figures():
    assert set(describe_numbers(pa.chunked_array([[None, None]], pa.float64())).values()) == {2, None}


def test_metrics_are_the_numbers_under_dotted_names():
    assert list_metrics({"a": {"b": 1, "c": None, "d": "x"}, "e": 0.5}) == {"a.b": 1, "e": 0.5}


def test_a_difference_tells_rows_classes_means_and_categories(mixed):
    run()
    before = mixed / "before"
    shutil.copytree("data", before / "data")
    raw = layout.RAW.read_text().replace("typical ;0", "typical ;3")
    layout.write_text(layout.RAW, raw + "\n".join(f"{n};200;?;no;0;new;yes" for n in range(3)))
    params = layout.PARAMS.read_text().replace("max: 120", "max: 250").replace("seed: 1", "seed: 2")
    layout.PARAMS.write_text(
        params.replace("min_class_rows: 20", "min_class_rows: 20, max_duplicate_share: 0.5")
    )
    run()
    difference = compare_versions(before, mixed)
    rows = difference["rows"]
    assert rows["after"] - rows["before"] == rows["added"] - rows["removed"]
    assert rows["added"] == rows["removed"] + 1
    assert rows["changed_side"] > 20
    assert difference["columns"]["means"]["age"]["shift"] > 0
    assert difference["classes"]["yes"]["change"] > 0
    save_difference(before, mixed, "DV_000000000000")
    assert "# Changes since DV_000000000000" in layout.DIFFERENCE_TEXT.read_text()
    assert layout.read_json(layout.DIFFERENCE)["rows"] == rows
