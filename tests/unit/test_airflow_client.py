"""Airflow's client: what it asks for fits Airflow's own API description, and a taken run id is no failure."""

import json
import os
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator

from sandbox.clients.airflow import Airflow
from sandbox.http import ApiError

SHIPPED = "airflow/api_fastapi/core_api/openapi/v2-rest-api-generated.yaml"


class Server(requests.adapters.BaseAdapter):
    """Gives a token, then answers what it is told; keeps the requests."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__()
        self.status, self.body = status, body
        self.seen: list[requests.PreparedRequest] = []

    def send(self, request, **_):  # type: ignore[no-untyped-def]
        answer = requests.Response()
        answer.request, answer.status_code = request, self.status
        answer._content = json.dumps(self.body).encode()
        if request.path_url == "/auth/token":
            answer.status_code, answer._content = 201, b'{"access_token": "t"}'
        else:
            self.seen.append(request)
        return answer

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def airflow(monkeypatch):
    """A function that makes a client of a server with one answer."""

    def make(status, body):
        server = Server(status, body)
        monkeypatch.setattr(requests.Session, "get_adapter", lambda _session, url: server)  # noqa: ARG005
        return Airflow("http://airflow.test", "admin", "secret"), server

    return make


@pytest.fixture(scope="module")
def description(root):
    """Airflow's description of its API, as its package ships it."""
    given = os.environ.get("AIRFLOW_API_DESCRIPTION")  # noqa: TID251 the name of a file
    venvs = (root / "gitea_repos/airflow_dags/.venv").glob(f"lib/python*/site-packages/{SHIPPED}")
    path = Path(given) if given else next(venvs, None)
    if not path:
        pytest.skip("Airflow's API description is not here; name it in AIRFLOW_API_DESCRIPTION")
    return yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def check(description, request):
    """The operation is described, and so are its query and body."""
    parts = urlsplit(request.url)
    (operation,) = [
        methods[request.method.lower()]
        for path, methods in description["paths"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/~]+", path), parts.path) and request.method.lower() in methods
    ]
    known = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
    assert set(parse_qs(parts.query)) <= known
    if request.body:
        (content,) = operation["requestBody"]["content"].values()
        schema = {"components": description["components"], **content["schema"]}
        Draft202012Validator(schema).validate(json.loads(request.body))


CALLS = {
    "start": lambda airflow: airflow.start("train_and_serve", "manual-1", {"reason": "manual"}),
    "runs": lambda airflow: airflow.runs("d", run_id_prefix_pattern="manual-", order_by="-run_after"),
    "later runs": lambda airflow: airflow.runs(
        "d", run_after_gte="2026-05-01T10:00:00Z", order_by="run_after"
    ),
    "newest run": lambda airflow: airflow.newest_run("d"),
    "run": lambda airflow: airflow.run("d", "manual-1"),
    "said": lambda airflow: airflow.said("d", "manual-1", "register", "return_value"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_request_is_as_airflow_describes_it(airflow, description, call):
    client, server = airflow(200, {"dag_runs": [], "value": 1})
    CALLS[call](client)
    (request,) = server.seen
    check(description, request)


def test_a_run_is_asked_for_without_a_logical_date(airflow):
    client, server = airflow(200, {})
    assert client.start("d", "manual-1", {"reason": "data"})
    body = json.loads(server.seen[0].body)
    assert body == {"dag_run_id": "manual-1", "logical_date": None, "conf": {"reason": "data"}}


def test_a_taken_run_id_is_said(airflow):
    assert not airflow(409, {})[0].start("d", "manual-1", {})


def test_a_dag_that_is_not_there_is_named(airflow):
    with pytest.raises(ApiError, match="has no DAG promote_model") as caught:
        airflow(404, {})[0].start("promote_model", "manual-1", {})
    assert caught.value.hint
    assert airflow(404, {})[0].runs("promote_model") == []


def test_any_other_refusal_is_an_error(airflow):
    with pytest.raises(ApiError, match="answered 422"):
        airflow(422, {"detail": "no"})[0].start("d", "manual-1", {})
