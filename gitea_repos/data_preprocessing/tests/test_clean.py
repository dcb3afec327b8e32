import pytest

from data_preprocessing import layout
from data_preprocessing.clean import clean_raw
from data_preprocessing.errors import Rejected
from data_preprocessing.tables import read_table


def reject(raw: str, **changes: str) -> list[dict]:
    """Clean a raw table that breaks rules and return the report's failures."""
    layout.write_text(layout.RAW, raw)
    text = layout.PARAMS.read_text()
    for old, new in changes.items():
        text = text.replace(f"{old}:", f"{old}: {new} #")
    layout.PARAMS.write_text(text)
    with pytest.raises(Rejected) as caught:
        clean_raw()
    report = layout.read_json(layout.VALIDATION)
    assert report["state"] == "failed"
    assert report["detail"] == str(caught.value)
    assert not layout.CLEAN.exists()
    return report["failures"]


@pytest.mark.usefixtures("project")
def test_the_copy_in_iris_is_dropped_and_counted():
    clean_raw()
    assert read_table(layout.CLEAN).num_rows == 149
    assert layout.read_json(layout.CLEANING) == {
        "rows_raw": 150,
        "duplicates_dropped": 1,
        "nulls_dropped": 0,
        "rows_clean": 149,
    }
    assert layout.read_json(layout.VALIDATION)["state"] == "passed"


@pytest.mark.usefixtures("project")
def test_every_breach_is_reported_with_rule_value_and_line(iris):
    lines = iris.splitlines()
    lines[4] = "55.0,3.1,1.5,0.2,setosa"
    lines[7] = "long,3.4,1.4,,setosa"
    lines[9] = "4.4,2.9,1.4,inf,rosa"
    failures = reject("\n".join(lines))
    seen = {(f["column"], f["rule"]): [(e["row"], e["value"]) for e in f["examples"]] for f in failures}
    assert seen == {
        ("sepal_length", "dtype"): [(8, "long")],
        ("sepal_length", "max"): [(5, 55.0)],
        ("petal_width", "dtype"): [(10, "inf")],
        ("petal_width", "nulls"): [(8, None)],
        ("species", "allowed"): [(10, "rosa")],
    }


@pytest.mark.usefixtures("project")
def test_the_reason_names_the_first_column_and_rule_and_how_many_more(iris):
    reject(iris.replace("5.1,3.5,1.4", "51,3.5,-1.4"))
    detail = layout.read_json(layout.VALIDATION)["detail"]
    assert detail == (
        "Validation: column sepal_length breaks rule max 30.0 with 51.0 in line 2 and 1 more; "
        "1 more rule is broken (validation.json)."
    )


@pytest.mark.usefixtures("project")
def test_missing_and_unexpected_columns_are_both_named(iris):
    failures = reject(iris.replace("petal_width", "petal_breadth"))
    assert [(f["column"], f["rule"]) for f in failures] == [
        ("petal_breadth", "unexpected"),
        ("petal_width", "present"),
    ]


@pytest.mark.usefixtures("project")
def test_a_value_seen_twice_is_refused_where_it_must_be_unique(iris):
    failures = reject(iris, petal_width="{kind: numeric, unique: true}")
    assert failures[0]["rule"] == "unique"
    assert failures[0]["count"] > 100
    assert len(failures[0]["examples"]) == 20


@pytest.mark.usefixtures("project")
def test_too_few_rows_and_too_many_copies_are_refused(iris):
    header, *rows = iris.splitlines()
    failures = reject("\n".join([header, *rows[::10] * 2]))
    assert [(f["rule"], f["examples"][0]["value"]) for f in failures[:2]] == [
        ("max_duplicate_share", 0.5),
        ("min_rows", 15),
    ]


@pytest.mark.usefixtures("project")
def test_a_class_without_enough_rows_is_refused(iris):
    rows = [line for line in iris.splitlines() if not line.endswith("virginica")]
    failures = reject("\n".join(rows))
    assert [(f["column"], f["rule"], f["examples"][0]["value"]) for f in failures] == [
        ("species", "min_class_rows", "virginica: 0 rows"),
        ("species", "min_class_share", "virginica: 0.0000"),
    ]


@pytest.mark.usefixtures("project")
def test_what_cannot_be_read_leaves_a_report_too():
    failures = reject("a;b\n1;2\n")
    assert failures[0]["rule"] == "readable"


@pytest.mark.usefixtures("mixed")
def test_numbers_categories_and_texts_keep_their_kinds():
    clean_raw()
    table = read_table(layout.CLEAN)
    assert {field.name: str(field.type) for field in table.schema} == {
        "age": "int64",
        "chol": "double",
        "chest_pain": "string",
        "vessels": "int64",
        "note": "string",
        "disease": "string",
    }
    assert layout.read_json(layout.CLEANING)["nulls_dropped"] == 6
    assert table["chest_pain"].null_count == 0
    assert table["chol"].null_count == 24
    assert 'said "fine"; then\nleft' in table["note"].to_pylist()


@pytest.mark.usefixtures("mixed")
def test_integers_out_of_range_and_too_long_are_reported():
    raw = layout.RAW.read_text().splitlines()
    raw[1] = f"0;{'9' * 5000};1;no;7;x;no"
    raw[2] = "1;130;1;no;0;x;no"
    raw[3] = "2;1.5;1;no;0;x;no"
    failures = reject("\n".join(raw))
    seen = {(f["column"], f["rule"]): [(e["row"], e["value"]) for e in f["examples"]] for f in failures}
    assert seen == {
        ("age", "dtype"): [(2, "9" * 99 + "…"), (4, "1.5")],
        ("age", "max"): [(3, 130)],
        ("vessels", "allowed"): [(2, 7)],
    }
