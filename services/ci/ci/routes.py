"""What the routes share: the parts of this server, and bodies that are JSON objects."""

from __future__ import annotations

import json
from typing import Any

from flask import abort, current_app, request

from ci.app import Ci


def here() -> Ci:
    """The parts of the server that answers this request."""
    return current_app.extensions["ci"]


def read_object() -> dict[str, Any]:
    """The body as a JSON object; 422 where it is none."""
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        abort(422, f"The body is not JSON: {error}.")
    if not isinstance(body, dict):
        abort(422, "The body must be a JSON object.")
    return body


def is_text(value: Any) -> bool:
    """Whether a value is a text that can be stored: JSON may hold halves of characters."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
