"""JSON for the database: what JSON or a database cannot hold becomes null or text, never an error."""

import json
import math
from typing import Any

import orjson


def to_json(value: Any) -> str:
    """The value as JSON text that every database takes."""
    try:
        return orjson.dumps(value).decode()  # NaN and infinities become null
    except orjson.JSONEncodeError:
        return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """The value made of what JSON knows: half a surrogate pair becomes `?`, strange things their text."""
    if isinstance(value, dict):
        return {_plain(str(name)): _plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, int):
        return value
    return str(value).encode("utf-8", "replace").decode()
