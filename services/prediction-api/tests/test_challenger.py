"""A second version answers its share of the requests, always the same ones; a pinned version stays."""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import mlflow
import models
import pytest
from servers import IRIS, Api, Mlflow, wait_until

from prediction_api.application import create_app
from prediction_api.challenger import CHALLENGER, CHAMPION, Challenge, Challenger
from prediction_api.errors import RegistryError, SettingsError
from prediction_api.loading import load
from prediction_api.registry import MODE, PERCENT, Look
from prediction_api.service import Service
from prediction_api.serving import MLFLOW
from prediction_api.settings import Settings

ROW = {"instances": [list(IRIS.values())]}
ASKED = 20_000


@pytest.fixture
def challenged(service: Service, save: Callable[..., Any]) -> Callable[..., Service]:
    """Version 1 says `first`, the challenger, version 2, `second`."""

    def challenge(percent: float = 25.0, shadow: bool = False) -> Service:
        first, second = (
            load(save(models.constant(label)), models.identity(version))
            for version, label in (("1", "first"), ("2", "second"))
        )
        service.serving.swap(first, MLFLOW)
        service.serving.challenge(Challenger(second, Challenge(second.identity, percent, shadow)))
        return service

    return challenge


def predict(client: Any, **headers: str) -> tuple[int, str, str, list[str]]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.post("/predict", json=ROW, headers=names)
    document = json.loads(answer.data)
    return (
        answer.status_code,
        answer.headers["X-Model-Version"],
        answer.headers["X-Model-Role"],
        document.get("predictions") or document["type"].rpartition(":")[2],
    )


def test_the_share_is_met_within_one_percent_and_every_key_stays(challenged: Callable[..., Service]) -> None:
    client = create_app(challenged(percent=25.0)).test_client()
    seen = [predict(client, X_Split_Key=f"user-{number}") for number in range(ASKED)]
    shares = Counter(role for _, _, role, _ in seen)
    assert {(version, role, *said) for _, version, role, said in seen} == {
        ("1", CHAMPION, "first"),
        ("2", CHALLENGER, "second"),
    }
    assert abs(shares[CHALLENGER] / ASKED - 0.25) < 0.01
    for number in range(0, ASKED, 200):
        assert predict(client, X_Split_Key=f"user-{number}") == seen[number]


@pytest.mark.parametrize(("percent", "role"), [(0.0, CHAMPION), (100.0, CHALLENGER)])
def test_none_and_all_are_exactly_that(challenged: Callable[..., Service], percent: float, role: str) -> None:
    client = create_app(challenged(percent)).test_client()
    assert {predict(client)[2] for _ in range(300)} == {role}


def test_another_version_draws_other_keys(challenged: Callable[..., Service]) -> None:
    model = challenged().serving.challenger.model
    keys = [f"user-{number}" for number in range(2000)]
    second, third = (
        {key for key in keys if Challenger(model, Challenge(models.identity(v), 25.0, False)).takes(key)}
        for v in ("2", "3")
    )
    assert len(second & third) < len(second) / 2


def test_the_role_can_be_asked_for(challenged: Callable[..., Service], client: Any) -> None:
    challenged(percent=50.0)
    for role, version in ((CHAMPION, "1"), (CHALLENGER, "2")):
        assert {predict(client, X_Model_Role=role)[1:3] for _ in range(20)} == {(version, role)}
    assert predict(client, X_Model_Role="winner")[0] == 400


def test_a_challenger_in_the_shadow_answers_only_who_asks_for_it(
    challenged: Callable[..., Service], client: Any
) -> None:
    challenged(percent=100.0, shadow=True)
    assert {predict(client)[2] for _ in range(50)} == {CHAMPION}
    assert predict(client, X_Model_Role=CHALLENGER)[1] == "2"


def test_without_a_challenger_who_asks_for_it_is_told(
    challenged: Callable[..., Service], client: Any
) -> None:
    challenged().serving.challenge(None)
    assert predict(client, X_Model_Role=CHALLENGER) == (404, "none", "none", "no-challenger")
    assert predict(client)[2] == CHAMPION


def test_other_routes_speak_of_the_champion(challenged: Callable[..., Service], client: Any) -> None:
    challenged(percent=100.0)
    assert client.get("/ready").json["version"] == "1"
    described = client.get("/model").json
    assert (described["version"], described["challenger"]["version"]) == ("1", "2")
    assert described["challenger"]["percent"] == 100.0


@pytest.mark.parametrize("given", ["0", "latest", "3 ", "a" * 31])
def test_a_pin_that_can_be_none_is_refused_at_the_start(given: str) -> None:
    where = {"API_HOME": "x", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MODEL_NAME": "iris"}
    environ = where | {"MODEL_PIN": given}
    if given.strip() == "3":
        assert Settings.from_env(environ).model_pin == "3"
        return
    with pytest.raises(SettingsError, match="MODEL_PIN"):
        Settings.from_env(environ)


def test_a_pinned_number_needs_the_models_name() -> None:
    environ = {"API_HOME": "x", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MODEL_PIN": "3"}
    with pytest.raises(SettingsError, match="MODEL_PIN=3 needs MODEL_NAME"):
        Settings.from_env(environ)


def test_a_key_that_the_server_could_not_read_is_refused(
    challenged: Callable[..., Service], client: Any
) -> None:
    challenged()
    assert predict(client, X_Split_Key="")[::3] == (400, "unknown-key")


def test_a_challenger_that_mlflow_breaks_off_costs_the_champion_no_pause(
    challenged: Callable[..., Service],
) -> None:
    service = challenged()
    service.serving.challenge(None)
    follower = service.follower
    champion, wanted = service.serving.identity, Challenge(models.identity("3"), 10.0, False)

    def breaks_off(*_: Any) -> Any:
        raise RegistryError("MLflow broke off.")

    follower._registry = SimpleNamespace(look=lambda: Look(champion, wanted), artifact_root=breaks_off)
    assert [follower.look() for _ in range(3)] == [service.settings.poll_seconds] * 3
    assert service.serving.challenger_refusal["version"] == "3"
    assert service.serving.away == ""


@pytest.fixture
def name(mlflow_server: Mlflow) -> str:
    """A registered model of this test's own with two versions, the first one champion."""
    name = f"duel-{uuid.uuid4().hex[:8]}"
    for label in ("first", "second"):
        mlflow_server.register(name, models.constant(label))
    mlflow_server.promote(name, "1")
    return name


def roles(api: Api, times: int = 40) -> set[tuple[str, str]]:
    answers = [api.predict() for _ in range(times)]
    return {(each.headers["X-Model-Version"], each.headers["X-Model-Role"]) for each in answers}


def test_the_alias_and_its_tags_in_mlflow_are_followed(
    start_api: Callable[..., Api], name: str, mlflow_server: Mlflow
) -> None:
    api, client = start_api(MODEL_NAME=name, API_WORKERS="2"), mlflow.MlflowClient()
    api.serves("1")
    client.set_registered_model_tag(name, PERCENT, "50")
    client.set_registered_model_alias(name, CHALLENGER, "2")

    def everywhere(version: str | None, *what: object) -> bool:
        keys = ["challenger", "challenger_percent", "challenger_mode"][: 1 + len(what)]
        workers = api.get("/model").json()["workers"]
        return {tuple(worker[key] for key in keys) for worker in workers} == {(version, *what)}

    wait_until("both workers have the challenger", lambda: everywhere("2", 50.0, "split"))
    assert roles(api) == {("1", CHAMPION), ("2", CHALLENGER)}
    client.set_registered_model_tag(name, MODE, "shadow")
    wait_until("both workers say it is in the shadow", lambda: everywhere("2", 50.0, "shadow"))
    assert roles(api) == {("1", CHAMPION)}
    client.delete_registered_model_tag(name, MODE)
    wait_until("it answers again", lambda: ("2", CHALLENGER) in roles(api))
    mlflow_server.promote(name, "2")
    api.serves("2")
    wait_until("who has won challenges no more", lambda: everywhere(None, None, None))
    assert roles(api) == {("2", CHAMPION)}
    client.set_registered_model_alias(name, CHALLENGER, "1")
    wait_until("the former champion challenges", lambda: everywhere("1"))
    client.delete_registered_model_alias(name, CHALLENGER)
    wait_until("nobody challenges", lambda: everywhere(None))


def test_a_challenger_that_cannot_be_served_is_refused_and_costs_the_champion_nothing(
    start_api: Callable[..., Api], name: str, mlflow_server: Mlflow
) -> None:
    mlflow_server.register(name, models.spline())
    api = start_api(MODEL_NAME=name)
    api.serves("1")
    mlflow.MlflowClient().set_registered_model_alias(name, CHALLENGER, "3")
    refusal = wait_until("it is refused", lambda: api.get("/model").json()["challenger_refusal"])
    assert refusal["version"] == "3"
    assert api.get("/model").json()["last_refusal"] is None
    assert roles(api) == {("1", CHAMPION)}


def test_a_pinned_version_stays_whatever_becomes_champion(
    start_api: Callable[..., Api], name: str, mlflow_server: Mlflow
) -> None:
    api = start_api(MODEL_NAME=name, MODEL_PIN="2")
    assert api.serves("2")["pin"] == "2"
    run_id = mlflow.MlflowClient().get_model_version(name, "1").run_id
    other = start_api("other", MODEL_NAME=name, MODEL_PIN=run_id)
    other.serves("1")
    mlflow_server.promote(name, "2")
    start_api("follower", MODEL_NAME=name).serves("2")
    assert other.get("/model").json()["version"] == "1"


def test_a_pin_that_names_nothing_is_said(start_api: Callable[..., Api], name: str) -> None:
    api = start_api(MODEL_NAME=name, MODEL_PIN="99")
    wait_until("it is said", lambda: "MODEL_PIN names no version" in api.get("/ready").text)
    assert api.get("/ready").status_code == 503
    assert any("names no version" in line["message"] for line in api.lines("registry"))
