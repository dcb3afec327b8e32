"""Each scenario fits together: raw data, params.yaml, example; and its data can be learnt, not too well."""

import csv
import io

import pytest
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sandbox.scenarios import SCENARIOS
from sandbox.scenarios.heart.rows import make_rows
from sandbox.settings import CODE, DATA

every = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
ASKED = {  # what the prediction API is asked with, word for word
    "heart": {
        **{"age": 63, "sex": 1, "cp": 3, "trestbps": 145, "chol": 233, "fbs": 1, "restecg": 0},
        **{"thalach": 150, "exang": 0, "oldpeak": 2.3, "slope": 0, "ca": 0, "thal": 1},
    }
}


def params(scenario, repository):
    return yaml.safe_load(scenario.params[repository].read_text())


def table(scenario):
    return list(csv.DictReader(io.StringIO(scenario.raw().decode())))


def fits(value, column):
    """Whether a cell or an example's value keeps the rules of its column."""
    if column["kind"] == "numeric":
        in_range = column.get("min", -1e9) <= float(value) <= column.get("max", 1e9)
        return in_range and (column.get("dtype") != "integer" or float(value).is_integer())
    if column["kind"] == "categorical":
        return str(value) in map(str, column["allowed"])
    return bool(value.strip())


@every
def test_data_and_model_have_the_name_of_the_scenario(scenario):
    data, code = params(scenario, DATA), params(scenario, CODE)
    assert SCENARIOS[scenario.name] is scenario
    assert data["dataset"]["name"] == code["model"] == scenario.name
    assert data["raw"]["file"] == scenario.raw_file


@every
def test_every_raw_row_and_the_example_keep_the_rules(scenario):
    data, rows = params(scenario, DATA), table(scenario)
    columns, target = data["columns"], data["dataset"]["target"]
    assert list(rows[0]) == list(columns)
    wrong = [(name, row[name]) for row in rows for name in columns if not fits(row[name], columns[name])]
    assert wrong == []
    assert len(rows) >= data["rules"]["min_rows"]
    assert [*scenario.example, target] == list(columns)
    assert all(fits(value, columns[name]) for name, value in scenario.example.items())


@pytest.mark.parametrize("name", ASKED)
def test_the_example_is_the_row_that_was_asked_for(name):
    assert SCENARIOS[name].example == ASKED[name]


def test_the_made_up_patients_say_so_wherever_they_are_met(root):
    heart = SCENARIOS["heart"]
    folder = heart.params[DATA].parent
    assert "synthetic" in heart.raw_file
    assert "SYNTHETIC" in heart.about
    for path in (heart.params[DATA], folder / "rows.py", folder.parent / "README.md"):
        assert "SYNTHETIC" in path.read_text(), path
    assert "heart is synthetic" in (root / "docs/scenarios.md").read_text()


def test_a_seed_gives_the_same_patients_and_another_one_others():
    assert make_rows() == make_rows()
    assert make_rows(seed=1) != make_rows()


def test_heart_disease_can_be_learnt_from_all_findings_and_from_none_alone():
    """A column that told the target would be a leak; findings that tell nothing would be noise."""
    rows = table(SCENARIOS["heart"])
    labels = [row["target"] for row in rows]
    columns = params(SCENARIOS["heart"], DATA)["columns"]
    codes = [n for n, name in enumerate(SCENARIOS["heart"].example) if columns[name]["kind"] == "categorical"]
    cells = [[float(row[name]) for name in SCENARIOS["heart"].example] for row in rows]
    features = ColumnTransformer([("codes", OneHotEncoder(), codes)], remainder=StandardScaler())
    accuracy = cross_val_score(make_pipeline(features, LogisticRegression()), cells, labels, cv=5).mean()
    assert 0.80 < accuracy < 0.92
    for n in range(len(columns) - 1):
        one = cross_val_score(DecisionTreeClassifier(max_depth=2), [[row[n]] for row in cells], labels, cv=5)
        assert one.mean() < 0.80, list(columns)[n]


def test_sentences_are_balanced_differ_and_can_be_learnt():
    rows = table(SCENARIOS["sentiment"])
    texts, labels = [row["text"] for row in rows], [row["sentiment"] for row in rows]
    assert len(set(map(str.casefold, texts))) == len(texts) > 600
    assert labels.count("positive") == labels.count("negative")
    assert any(not text.isascii() for text in texts)
    assert any("'" in text for text in texts)
    accuracy = cross_val_score(make_pipeline(TfidfVectorizer(), LogisticRegression()), texts, labels, cv=5)
    assert 0.75 < accuracy.mean() < 0.95
