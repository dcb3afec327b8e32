"""Who is let in, on the real server."""

import base64

import pytest
import requests
from conftest import PASSWORDS, Server
from routes import routes

from mlflow_server.login import LoginError, passwords_from

EXPERIMENTS = "/api/2.0/mlflow/experiments"
MODELS = "/api/2.0/mlflow/registered-models"


def test_no_route_is_open_but_health_and_version(server: Server) -> None:
    everything = routes()
    assert len(everything) > 300
    assert {("PUT", "/api/2.0/mlflow-artifacts/artifacts/x"), ("POST", "/graphql")} <= everything
    session = requests.Session()
    answers = {
        (method, path): session.request(method, server.url + path, timeout=10).status_code
        for method, path in sorted(everything)
        if (method, path) not in {("GET", "/health"), ("GET", "/version")}
    }
    opened = {request for request, status in answers.items() if status != 401}
    assert opened == {("HEAD", "/health"), ("HEAD", "/version")}


@pytest.mark.parametrize("path", ["/health", "/version"])
def test_health_and_version_need_no_login(server: Server, path: str) -> None:
    assert server.ask(None, "GET", path).status_code == 200
    assert server.ask(None, "POST", path).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"loop").decode(),
        "Basic " + base64.b64encode(b"loop:").decode(),
        "Basic " + base64.b64encode(f"serving:{PASSWORDS['loop']}".encode()).decode(),
        "Basic " + base64.b64encode(b"nobody:" + b"l" * 24).decode(),
        "Bearer " + base64.b64encode(f"loop:{PASSWORDS['loop']}".encode()).decode(),
    ],
)
def test_anything_but_a_right_password_is_401_with_a_challenge(server: Server, header: str) -> None:
    answer = requests.get(server.url + "/", headers={"Authorization": header}, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json()["error_code"] == "UNAUTHENTICATED"


def test_the_ui_opens_with_a_login(server: Server) -> None:
    assert server.ask("serving", "GET", "/").status_code == 200


def test_loop_writes_and_serving_only_reads(server: Server) -> None:
    body = {"name": "rights"}
    assert server.ask("serving", "POST", f"{EXPERIMENTS}/create", json=body).status_code == 403
    assert server.ask("loop", "POST", f"{EXPERIMENTS}/create", json=body).status_code == 200
    assert server.ask("serving", "GET", f"{EXPERIMENTS}/get-by-name?experiment_name=rights").ok
    assert server.ask("serving", "POST", f"{EXPERIMENTS}/search", json={"max_results": 1}).ok
    assert server.ask("serving", "GET", f"{MODELS}/search?max_results=1").ok


def test_serving_cannot_touch_artifacts(server: Server) -> None:
    path = "/api/2.0/mlflow-artifacts/artifacts/0/rights.txt"
    assert server.ask("serving", "PUT", path, data=b"no").status_code == 403
    assert server.ask("loop", "PUT", path, data=b"yes").status_code == 200
    assert server.ask("serving", "GET", path).content == b"yes"
    assert server.ask("serving", "DELETE", path).status_code == 403


def test_only_admin_reaches_what_runs_code(server: Server) -> None:
    path = "/ajax-api/3.0/mlflow/scorer/invoke"
    assert server.ask("loop", "POST", path, json={}).status_code == 403
    assert server.ask("admin", "POST", path, json={}).status_code == 400


def test_a_path_in_disguise_gets_no_further(server: Server) -> None:
    plain = "/api/3.0/mlflow/scorers/list"
    for path in (plain, "/" + plain, plain.replace("/scorers", "//scorers"), plain.replace("api", "%61pi")):
        answer = requests.get(server.url + path, auth=("loop", PASSWORDS["loop"]), timeout=10)
        assert answer.status_code == 403, path


def test_the_log_holds_no_password(server: Server) -> None:
    server.ask("loop", "GET", f"{MODELS}/search")
    log = server.log.read_text()
    assert f"{MODELS}/search" in log
    assert not [password for password in PASSWORDS.values() if password in log]


def test_every_missing_password_is_named() -> None:
    with pytest.raises(LoginError, match="MLFLOW_ADMIN_PASSWORD, MLFLOW_SERVING_PASSWORD"):
        passwords_from({"MLFLOW_LOOP_PASSWORD": "x", "MLFLOW_ADMIN_PASSWORD": ""})
