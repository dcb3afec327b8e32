"""Servers in threads, and the description of Gitea's API: which operation a request is."""

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import HTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from jsonschema import Draft4Validator

Request = tuple[str, str, Any]  # method, path below the API's root, JSON body
Served = TypeVar("Served", bound=HTTPServer)
TEXT, TRUTH = {"type": "string"}, {"type": "boolean"}
# Of Gitea's routers/api/v1 (admin/user.go, repo/collaborators.go) and modules/structs/admin_user.go: the
# extract of the description that is kept beside the project has not got these. A whole one brings its own.
EDIT_USER = {
    "type": "object",
    "required": ["source_id", "login_name"],
    "properties": {
        **{"source_id": {"type": "integer"}, "login_name": TEXT, "password": TEXT, "admin": TRUTH},
        **{"must_change_password": TRUTH, "restricted": TRUTH},
    },
}
MORE = {
    "/users/{username}": {"get": {"operationId": "userGet", "parameters": []}},
    "/repos/{owner}/{repo}/collaborators/{collaborator}/permission": {
        "get": {"operationId": "repoGetRepoPermissions", "parameters": []}
    },
    "/admin/users/{username}": {
        "patch": {
            "operationId": "adminEditUser",
            "parameters": [{"in": "body", "name": "body", "schema": EDIT_USER}],
        }
    },
}


@pytest.fixture
def serve() -> Iterator[Callable[[Served], Served]]:
    """Runs an HTTP server until the end of the test."""
    with ExitStack() as running:

        def start(server: Served) -> Served:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            for end in (thread.join, server.server_close, server.shutdown):  # the last one is called first
                running.callback(end)
            return server

        yield start


@pytest.fixture
def operation(root: Path) -> Callable[[Request], str]:
    """The operation that a request is; its body fits, its path and method exist."""
    given = os.environ.get("GITEA_API_DESCRIPTION")  # noqa: TID251 the name of a file, as in services/ci/tests
    path = Path(given) if given else root.parent / "shared" / "specs" / "gitea-api-v1.json"
    if not path.is_file():
        pytest.skip("Gitea's API description is not here; name it in GITEA_API_DESCRIPTION")
    document = json.loads(path.read_text(encoding="utf-8"))
    described = closed({**document, "paths": {**MORE, **document["paths"]}})
    return lambda request: check(described, request)


def closed(node: Any) -> Any:
    """The description with every object closed: a field that Gitea does not have is a mistake."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: closed(value) for key, value in node.items()}
    if node.get("type") == "object" and "properties" in node:
        node["additionalProperties"] = False
    return node


def check(description: dict[str, Any], request: Request) -> str:
    method, path, body = request
    operations = [
        methods[method.lower()]
        for template, methods in description["paths"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in methods
    ]
    assert len(operations) == 1, f"{method} {path} is described {len(operations)} times"
    for parameter in operations[0].get("parameters", []):
        if parameter["in"] == "body" and body is not None:
            schema = {key: value for key, value in description.items() if key == "definitions"}
            Draft4Validator({**schema, **parameter["schema"]}).validate(body)
    return str(operations[0]["operationId"])
