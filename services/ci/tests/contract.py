"""Gitea's own API description, and answers held against it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from werkzeug.test import TestResponse

PROJECT = Path(__file__).parents[3]
Check = Callable[[TestResponse, str, str], Any]


def description_file() -> Path:
    """Where the description lies: GITEA_API_DESCRIPTION, else beside the project."""
    given = os.environ.get("GITEA_API_DESCRIPTION")
    return Path(given) if given else PROJECT.parent / "shared" / "specs" / "gitea-api-v1.json"


def read_description(path: Path) -> dict[str, Any]:
    """The description with every object closed."""
    return strict(json.loads(path.read_text(encoding="utf-8")))


def strict(node: Any) -> Any:
    """The description with every object closed: a field that Gitea does not have is a mistake."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items()}
    if node.get("type") == "object" and "properties" in node:
        node["additionalProperties"] = False
    return node


def check_answer(description: dict[str, Any], answer: TestResponse, method: str, path: str) -> Any:
    """The body of an answer: its status code is described and it fits the schema."""
    responses = description["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses
    name = responses[str(answer.status_code)]["$ref"].rpartition("/")[2]
    schema = description["responses"][name].get("schema") or {"$ref": "#/definitions/APIError"}
    Draft4Validator({**description, **schema}).validate(answer.json)
    return answer.json
