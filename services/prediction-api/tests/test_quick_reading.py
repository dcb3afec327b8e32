"""What the quick reading takes, it reads as the rules do; the rest it leaves to them."""

import json
import sys
from typing import Any

import numpy as np
import pytest
from test_body import ACCEPTED, REFUSED

from prediction_api.body import decode
from prediction_api.quick_reading import QuickReading
from prediction_api.signature import Column, Signature
from prediction_api.validation import read_instances, validate

IRIS = Signature(
    tuple(
        Column(name, "double", True)
        for name in ("sepal_length", "sepal_width", "petal_length", "petal_width")
    )
)
HEART = Signature(
    (Column("age", "long", True), Column("sex", "integer", False), Column("oldpeak", "double", False))
)
HEART_ROWS = [
    [63, 1, 2.3],
    [63.0, 1.0, 2],
    [2**53 - 1, 2**31 - 1, 1e308],
    [-(2**53) + 1, -(2**31) + 1, -0.0],
    [1, 1, 2**53 + 1],
    [2**53, 1, 1],
    [2**53 + 1, 1, 1],
    [-(2**63), 1, 1],
    [-(2.0**63), 1, 1],
    [2**63 - 1, 1, 1],
    [2**63, 1, 1],
    [63, 2**31, 1],
    [63, -(2**31), 1],
    [63.5, 1, 1],
    [True, 1, 1],
    [63, 1, None],
    [63, None, 2.3],
    [None, 1, 1],
    ["63", 1, 1],
    [10**400, 1, 1],
    [63, 1, 10**400],
    [63, 1, int(sys.float_info.max) + 1],
    [63, 1, sys.float_info.max],
    [63, 1, 1.7976931348623155e308],
    [63, 1, [1]],
    {"age": 63, "sex": 1, "oldpeak": 2.3},
    {"oldpeak": 2.3, "sex": 1, "age": 63},
    {"age": 63, "sex": 1},
    {"age": 63, "sex": 1, "oldpeak": 1, "more": 1},
    [63, 1],
    "row",
]
BODIES: list[tuple[Signature, Any]] = [
    *((IRIS, body) for body in ACCEPTED.values()),
    *((HEART, {"instances": [row]}) for row in HEART_ROWS),
    *((HEART, {"instances": [HEART_ROWS[0], row]}) for row in HEART_ROWS),
]

#: Bodies whose rows are looked at, for a row is what is wrong with them.
REFUSED_ROWS = {name: raw for name, (raw, _, error) in REFUSED.items() if error and error[2] is not None}


def read(signature: Signature, body: Any) -> np.ndarray | None:
    reading = QuickReading.of(signature)
    assert reading
    return reading.read(read_instances(body, signature, 5))


@pytest.mark.parametrize(("signature", "body"), BODIES)
def test_it_reads_what_the_rules_read(signature: Signature, body: Any) -> None:
    found = read(signature, body)
    if found is not None:
        # Python's numbers, compared one by one: as one array they would be rounded alike.
        expected = validate(read_instances(body, signature, 5), signature)
        assert np.where(np.isnan(found), None, found).tolist() == expected


def test_it_takes_lists_records_and_nulls() -> None:
    body = {"instances": [HEART_ROWS[0], {"oldpeak": 2.3, "sex": None, "age": 63}]}
    np.testing.assert_array_equal(read(HEART, body), [[63, 1, 2.3], [63, np.nan, 2.3]])


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**53 + 1, -(2.0**63)])
def test_whole_numbers_that_floats_may_round_are_left_to_scikit_learn(number: float) -> None:
    assert read(HEART, [[number, 1, 1]]) is None
    assert read(HEART, [[2**53 - 1, 1, number]]) is not None


@pytest.mark.parametrize("raw", REFUSED_ROWS.values(), ids=REFUSED_ROWS)
def test_it_takes_no_row_that_is_refused(raw: bytes) -> None:
    assert read(IRIS, decode(raw)) is None


@pytest.mark.parametrize("types", [("string",), ("float", "double"), ("boolean", "double")])
def test_other_columns_have_no_quick_reading(types: tuple[str, ...]) -> None:
    columns = tuple(Column(f"c{number}", type_, True) for number, type_ in enumerate(types))
    assert QuickReading.of(Signature(columns)) is None


@pytest.mark.parametrize(
    "text", ["-0", "-0.0", "1e400", "18446744073709551616", "0.1", "5e-324", '{"a": 1, "a": 2}', '"\\u0000"']
)
def test_json_reads_as_pythons_own_does(text: str) -> None:
    """Also whole numbers beyond 64 bits, which orjson gives as floats: no column takes them but doubles."""
    found, expected = decode(text.encode()), json.loads(text)
    assert found == expected
