"""The kinds of column a signature may ask for, and how a JSON value becomes one of their values."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: The greatest numbers of 64 and 32 bits. Not taken: what is a little greater is read as them.
FLOAT64_MAX, FLOAT32_MAX = sys.float_info.max, 3.4028234663852886e38


@dataclass(eq=False)
class BrokenRule(Exception):
    """A value that does not fit its column: the rule's name and what it asks."""

    rule: str
    asks: str


@dataclass(frozen=True)
class Kind:
    """A column type of MLflow: pandas dtype, dtype where values are missing, conversion, neutral value."""

    dtype: str
    dtype_with_missing: str
    convert: Callable[[Any], Any]
    neutral: Any


def _double(value: Any) -> float:
    if type(value) is not float:
        # bool is an int to Python, so the exact type is asked for.
        if type(value) is not int:
            raise BrokenRule("number", "a number")
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
    if not abs(value) < FLOAT64_MAX:
        raise BrokenRule("range", "a number that fits 64 bits")
    return value


def _float(value: Any) -> float:
    number = _double(value)
    if abs(number) >= FLOAT32_MAX:
        raise BrokenRule("range", "a number that fits 32 bits")
    return number


def _whole(bits: int) -> Callable[[Any], int]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def convert(value: Any) -> int:
        # orjson gives a whole number below -2**63 as a float, and the nearest float may be in the range:
        # -2**63, which is taken only where it is spelled as a whole number.
        if type(value) is float and abs(value) >= 2.0**63:
            raise BrokenRule("range", f"a whole number that fits {bits} bits")
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise BrokenRule("integer", "a whole number")
        if not low <= value <= high:
            raise BrokenRule("range", f"a whole number that fits {bits} bits")
        return value

    return convert


def _string(value: Any) -> str:
    if type(value) is not str:
        raise BrokenRule("string", "a string")
    # JSON can spell half of a surrogate pair, which no encoder downstream accepts.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise BrokenRule("unicode", "a string of valid Unicode")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise BrokenRule("boolean", "true or false")
    return value


KINDS = {
    "double": Kind("float64", "float64", _double, 0.0),
    "float": Kind("float32", "float32", _float, 0.0),
    "long": Kind("int64", "float64", _whole(64), 0),
    "integer": Kind("int32", "float64", _whole(32), 0),
    "string": Kind("str", "str", _string, ""),
    "boolean": Kind("bool", "object", _boolean, False),
}


def json_name(value: Any) -> str:
    """What a JSON value is called in a message, without showing the value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
