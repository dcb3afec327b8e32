"""supervisord's configuration carries any value, and one that it cannot carry is refused by name."""

import pytest
from supervisor.datatypes import dict_of_key_value_pairs

from sandbox.drivers.supervisor import _quote
from sandbox.errors import ServiceError


@pytest.mark.parametrize("value", ["plain", "a b", '[{"name": "x"}]', "it's", "http://h:1/?a=b,c", "50%"])
def test_a_quoted_value_reads_back_as_it_was(value):
    read = dict_of_key_value_pairs(f"A={_quote(value)},B={_quote('x')}")
    assert read == {"A": value.replace("%", "%%"), "B": "x"}


def test_a_value_with_both_quotes_is_refused():
    with pytest.raises(ServiceError):
        _quote("""it's "so".""")
