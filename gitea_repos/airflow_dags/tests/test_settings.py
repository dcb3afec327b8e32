from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loop import wait
from loop.errors import Failure, Refused, Unreachable
from loop.http import Service
from loop.limits import Limits
from loop.mlflow import MLflow
from loop.prediction import PredictionAPI
from loop.run import Run
from loop.settings import Settings, container_environment, container_limits, schedule
from loop.statuses import Statuses


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(Failure, match=r"AIRFLOW_WEB_URL, API_URL.* not set"):
        Settings.from_env({"PROMOTION": "auto"})


def test_a_wrong_promotion_is_named() -> None:
    names = (field.upper() for field in Settings.__dataclass_fields__)
    with pytest.raises(Failure, match="PROMOTION is 'later': it must be auto or manual"):
        Settings.from_env(dict.fromkeys(names, "x") | {"PROMOTION": "later"})


def test_addresses_end_without_a_slash_and_secrets_as_they_are() -> None:
    names = (field.upper() for field in Settings.__dataclass_fields__)
    given = dict.fromkeys(names, "x/") | {"PROMOTION": "auto"}
    settings = Settings.from_env(given)
    assert (settings.api_url, settings.mlflow_tracking_uri) == ("x", "x")
    assert (settings.api_token, settings.mlflow_tracking_password, settings.status_token) == ("x/",) * 3


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({}, "@daily"), ({"LOOP_SCHEDULE": "0 6 * * *"}, "0 6 * * *"), ({"LOOP_SCHEDULE": ""}, None)],
)
def test_the_schedule_is_a_setting_with_a_default(environ: dict[str, str], wanted: str | None) -> None:
    assert schedule("@daily", environ) == wanted


def test_a_task_has_room_for_what_it_waits_for() -> None:
    limits = Limits.read()
    longest, waits = limits.longest_seconds, limits.waits
    assert waits.served < longest["serve"]
    assert waits.verified < longest["verify"]
    assert waits.ci * 1.2 < longest["plan"]
    assert max(longest.values()) == longest["run"]


@pytest.mark.parametrize("text", ["gate: [", "schedule: x", "- 1"])
def test_a_broken_slo_file_is_a_clear_failure(tmp_path: Path, text: str) -> None:
    (tmp_path / "slo.yaml").write_text(text)
    with pytest.raises(Failure, match=r"slo\.yaml"):
        Limits.read(tmp_path / "slo.yaml")


def test_a_container_gets_loop_env_and_proxies_but_no_path_of_this_machine() -> None:
    environ = dict.fromkeys(
        ("PATH", "SSL_CERT_FILE", "PIP_CERT", "DOCKER_HOST", "AIRFLOW__CORE__FERNET_KEY"), "x"
    )
    kept = {"HTTP_PROXY": "p", "no_proxy": "n", "GIT_URL": "g", "AWS_SECRET_ACCESS_KEY": "s"}
    assert container_environment(environ | kept) == kept


@pytest.mark.parametrize(
    ("memory", "cpus", "named"),
    [("", "2", "TASK_MEMORY is ''"), ("2 GB", "2", "TASK_MEMORY"), ("2g", "0", "TASK_CPUS is '0'")],
)
def test_wrong_limits_of_a_container_are_named(memory: str, cpus: str, named: str) -> None:
    assert container_limits({"TASK_MEMORY": "2g", "TASK_CPUS": "0.5"}) == ("2g", 0.5)
    with pytest.raises(Failure, match=named):
        container_limits({"TASK_MEMORY": memory, "TASK_CPUS": cpus})


@pytest.mark.parametrize("user", ["loop", ""])
def test_mlflow_is_logged_in_to_where_there_is_a_user(
    run: Run, serve: Callable[[Any], Any], user: str
) -> None:
    server = serve(lambda *_: (200, {"model_version": {"name": "m", "version": "1"}}))
    login = {"mlflow_tracking_username": user, "mlflow_tracking_password": "secret"}
    MLflow(replace(run.settings, mlflow_tracking_uri=server.address, **login)).version("m", "1")
    sent = server.seen[0][3].get("Authorization")
    assert sent == ("Basic bG9vcDpzZWNyZXQ=" if user else None)
    assert "secret" not in repr(replace(run.settings, **login))


@pytest.mark.parametrize("token", ["a-token", "YWJj/", ""])
def test_the_prediction_api_is_shown_the_token_where_there_is_one(
    run: Run, serve: Callable[[Any], Any], token: str
) -> None:
    server = serve(lambda *_: (200, {"predictions": [1]}))
    settings = replace(run.settings, api_url=server.address, api_token=token)
    assert PredictionAPI(settings).predict([{}])[0] == [1]
    assert server.seen[0][3].get("Authorization") == (f"Bearer {token}" if token else None)
    assert not token or token not in repr(settings)


def test_a_token_that_the_api_does_not_know_is_a_refusal(run: Run, serve: Callable[[Any], Any]) -> None:
    server = serve(lambda *_: (401, {"detail": "This token is not known here."}))
    with pytest.raises(Refused, match=r"\(401\): This token is not known"):
        PredictionAPI(replace(run.settings, api_url=server.address)).predict([{}])


def test_statuses_are_set_and_read_with_the_login_of_the_loop(
    run: Run, serve: Callable[[Any], Any], statuses: Any
) -> None:
    server = serve(statuses)
    settings = replace(run.settings, status_url=server.address, status_user="loop", status_token="secret")
    Statuses(settings).post("model_training", "c", "data", "success", "fine", "")
    assert Statuses(settings).of("model_training", "c")["data"].state == "success"
    sent = [(method, headers.get("Authorization")) for method, _, _, headers in server.seen]
    assert sent == [(method, "Basic bG9vcDpzZWNyZXQ=") for method in ("POST", "GET")]
    assert "secret" not in repr(settings)


def test_a_silent_server_is_unreachable_and_said_plainly() -> None:
    with pytest.raises(Unreachable, match=r"^MLflow at http://127.0.0.1:9 did not answer: .*refused$"):
        Service("MLflow", "http://127.0.0.1:9").call("GET", "/")


def test_server_errors_are_tried_again_and_client_errors_are_not(serve) -> None:
    with pytest.raises(Unreachable, match="answered 502"):
        Service("X", serve(lambda *_: (502, "bad gateway")).address).call("GET", "/")
    with pytest.raises(Refused, match=r"X refused GET / \(422\): too long") as refusal:
        Service("X", serve(lambda *_: (422, {"detail": "too long"})).address).call("GET", "/")
    assert refusal.value.status == 422
    with pytest.raises(Unreachable, match="not a JSON object"):
        Service("X", serve(lambda *_: (200, "<html>")).address).json("GET", "/")


def test_waiting_looks_at_least_once_and_ends_with_the_first_answer() -> None:
    looks = []
    assert wait.until(lambda: looks.append(1), 0, 1) is None
    assert len(looks) == 1
    assert wait.until(lambda: looks.append(1) or len(looks) > 2, 5, 0.001) is True
