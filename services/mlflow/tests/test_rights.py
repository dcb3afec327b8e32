"""The table of rights, against every route that the installed MLflow has."""

import pytest
from routes import routes

from mlflow_server.rights import LOOP, SERVING, may

#: The requests with a body that only read.
READS = {
    f"/{api}/{path}"
    for api in ("api", "ajax-api")
    for path in (
        "2.0/mlflow/experiments/search",
        "2.0/mlflow/runs/search",
        "2.0/mlflow/logged-models/search",
        "2.0/mlflow/registered-models/get-latest-versions",
        "3.0/mlflow/traces/search",
        "3.0/mlflow/datasets/search",
    )
}
RESERVED_WORDS = ("assistant", "demo", "gateway", "genai", "invoke", "jobs", "scorer", "webhook")


def test_serving_changes_nothing_on_any_route() -> None:
    writing = {pair for pair in routes() if pair[0] not in {"GET", "HEAD"}}
    assert {path for method, path in writing if may(SERVING, method, path)} == READS


def test_loop_is_kept_from_every_route_that_runs_code_or_calls_out() -> None:
    named = {pair for pair in routes() if any(word in pair[1] for word in RESERVED_WORDS)}
    assert len(named) > 100
    assert not {(method, path) for method, path in named if may(LOOP, method, path)}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/2.0/mlflow/runs/create"),
        ("DELETE", "/api/2.0/mlflow/registered-models/alias"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/x/artifacts/gateway/scorers.json"),
        ("GET", "/get-artifact"),
        ("POST", "/graphql"),
    ],
)
def test_loop_may_do_its_work(method: str, path: str) -> None:
    assert may(LOOP, method, path)


def test_serving_searches_no_further_than_the_route() -> None:
    assert not may(SERVING, "POST", "/api/2.0/mlflow/runs/search/../create")
    assert not may(SERVING, "POST", "/api/2.0/mlflow/runs/searchX")
