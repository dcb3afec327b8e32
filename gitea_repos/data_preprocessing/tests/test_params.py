import pytest
from samples import MIXED_PARAMS, PROJECT, TESTS

from data_preprocessing.errors import Rejected
from data_preprocessing.params import flatten, load_params


def load(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return load_params(path)


def test_the_projects_own_parameters_are_valid():
    """The only test that reads them: every other has its own, so an edit of params.yaml breaks none."""
    try:
        load_params(PROJECT / "params.yaml")
    except Rejected as error:
        pytest.fail(str(error), pytrace=False)


def test_features_are_all_columns_but_the_target():
    params = load_params(TESTS / "params.yaml")
    assert params.dataset.target == "species"
    assert params.features == ["sepal_length", "sepal_width", "petal_length", "petal_width"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("split:", "spilt:", "spilt"),
        ("min: 0, max: 120", "min: 120, max: 0", "columns.age: .*min is above max"),
        ("{kind: text", "{kind: prose", "columns.note.kind"),
        ("kind: text, nulls", "kind: text, max: 3, nulls", "min and max are for numeric"),
        ("allowed: [0, 1, 2, 3]", "allowed: [a]", "columns.vessels.*must be integers"),
        ("target: disease", "target: ill", "'ill' is not among the columns"),
        ("target: disease", "target: age", "'age' must be categorical"),
        ("file: patients.csv", "file: ../patients.csv", "below .DATA_URL"),
        ("file: patients.csv", "query: SELECT 1", "query needs url_env"),
        ('";"', '";;"', "raw.delimiter"),
        ('";"', '";", encoding: utf-9', "no encoding 'utf-9'"),
        ("test_share: 0.25", "test_share: 25", "split.test_share"),
        ("raw: {", "raw: {{", "is not YAML"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, old, new, reason):
    assert old in MIXED_PARAMS
    with pytest.raises(Rejected, match=reason):
        load(tmp_path, MIXED_PARAMS.replace(old, new))


def test_the_word_no_stays_a_word(tmp_path):
    text = MIXED_PARAMS.replace('"no"', "no")
    assert load(tmp_path, text).columns["disease"].allowed == ["no", "yes"]


def test_missing_parameters_say_where_to_be(tmp_path):
    with pytest.raises(Rejected, match="run this in the project's folder"):
        load_params(tmp_path / "params.yaml")


def test_flattening_gives_dotted_names():
    assert flatten({"a": {"b": 1, "c": None}, "d": [2]}) == {"a.b": "1", "d": "[2]"}
