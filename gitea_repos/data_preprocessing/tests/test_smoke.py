import pytest

from data_preprocessing import layout
from data_preprocessing.clean import clean_raw
from data_preprocessing.params import load_params
from data_preprocessing.smoke import make_table
from data_preprocessing.split import split_clean


@pytest.mark.parametrize("fixture", ["project", "mixed"])
def test_the_made_up_table_keeps_the_rules_of_any_data_set(request, fixture):
    request.getfixturevalue(fixture)
    make_table(load_params(), layout.RAW)
    clean_raw()
    split_clean()
    assert layout.read_json(layout.CLEANING)["rows_clean"] == 200
