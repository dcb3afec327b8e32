"""What the routes share: the parts of this server, bodies that are JSON objects, and pages of lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Response, abort, current_app, jsonify, request

from ci.app import Ci

PAGE_SIZE, LARGEST_PAGE = 30, 50


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


def number(name: str, default: int) -> int:
    """A whole number from the query, at least 1; anything else is the default, as in Gitea."""
    value = request.args.get(name, "")
    return max(1, int(value)) if value.isdecimal() and len(value) < 10 else default


def page_of(items: list[Any]) -> list[Any]:
    """The items on the page that was asked for."""
    limit = min(number("limit", PAGE_SIZE), LARGEST_PAGE)
    start = (number("page", 1) - 1) * limit
    return items[start : start + limit]


def paged(items: list[Any], render: Callable[[Any], dict[str, Any]]) -> Response:
    """A page of a list, each item rendered, with the number of all."""
    response = jsonify([render(item) for item in page_of(items)])
    response.headers["X-Total-Count"] = str(len(items))
    return response
