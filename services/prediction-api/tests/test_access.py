"""Who may ask: a token where API_TOKENS says so, on both ways to an answer."""

import json
from dataclasses import replace
from typing import Any

import pytest

from prediction_api.access import OPEN
from prediction_api.application import create_app
from prediction_api.errors import SettingsError
from prediction_api.model import Model
from prediction_api.service import Service
from prediction_api.serving import COPY
from prediction_api.settings import Settings

ROW = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
TOKENS = {"ada": "first-token", "bob": "second~token=="}
ENVIRONMENT = {"API_HOME": "home", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}


@pytest.fixture(params=["fast path", "Flask"])
def client(settings: Settings, iris_model: Model, request: pytest.FixtureRequest) -> Any:
    """A service that asks for a token."""
    service = Service(replace(settings, tokens=TOKENS))
    service.serving.swap(iris_model, COPY)
    return create_app(service, fast=request.param == "fast path").test_client()


@pytest.mark.parametrize(
    "given",
    [
        *(f"Bearer {token}" for token in TOKENS.values()),
        "bearer first-token",
        "BEARER  first-token ",
    ],
)
def test_who_shows_a_token_is_answered(client: Any, given: str) -> None:
    answer = client.post("/predict", json=ROW, headers={"Authorization": given})
    assert answer.json == {"predictions": ["setosa"]}


@pytest.mark.parametrize(
    ("given", "challenge"),
    [
        ({}, 'Bearer realm="prediction-api"'),
        ({"Authorization": "Bearer wrong"}, 'Bearer realm="prediction-api", error="invalid_token"'),
        ({"Authorization": "Bearer"}, 'Bearer realm="prediction-api", error="invalid_token"'),
        ({"Authorization": "Bearer first-toke"}, 'Bearer realm="prediction-api", error="invalid_token"'),
        ({"Authorization": "Bearer ada:first-token"}, 'Bearer realm="prediction-api", error="invalid_token"'),
        (
            {"Authorization": "Basic YWRhOmZpcnN0LXRva2Vu"},
            'Bearer realm="prediction-api", error="invalid_token"',
        ),
        ({"Authorization": "Bearer é"}, 'Bearer realm="prediction-api", error="invalid_token"'),
    ],
)
def test_others_get_401_with_a_challenge_and_no_word_of_the_tokens(
    client: Any, given: dict[str, str], challenge: str
) -> None:
    answer = client.post("/predict", json=ROW, headers=given)
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == challenge
    document = json.loads(answer.data)
    assert document["type"] == "urn:prediction-api:unauthorized"
    assert document["request_id"] == answer.headers["X-Request-Id"]
    assert not any(token in answer.text for token in (*TOKENS, *TOKENS.values()))


@pytest.mark.parametrize("route", sorted(OPEN))
def test_open_routes_ask_nobody(client: Any, route: str) -> None:
    assert client.get(route).status_code == 200


@pytest.mark.parametrize(
    "route",
    ["/", "/nothing", "/predict/", "/v1/models", "/v1/models/iris", "/healthz", "/docsx", "/feedback"],
)
def test_every_other_route_asks(client: Any, route: str) -> None:
    assert client.get(route).status_code == 401


def test_the_log_names_who_asked_and_shows_no_token(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    client.post("/predict", json=ROW, headers={"Authorization": "Bearer second~token=="})
    said = capsys.readouterr().out
    assert json.loads(said)["client"] == "bob"
    assert "second" not in said


def test_without_tokens_nobody_is_asked(service: Service, iris_model: Model) -> None:
    service.serving.swap(iris_model, COPY)
    client = create_app(service).test_client()
    assert client.post("/predict", json=ROW, headers={"Authorization": "Bearer any"}).status_code == 200


def test_no_answer_lets_another_site_in(client: Any) -> None:
    """CORS is off: a browser shows no page of another site what is answered here."""
    asked = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for answer in (
        client.options("/predict", headers=asked),
        client.options("/health", headers=asked),
        client.get("/model", headers=asked),
        client.post("/predict", json=ROW, headers=asked | {"Authorization": "Bearer first-token"}),
    ):
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", {}),
        (" ", {}),
        ("ada:first", {"ada": "first"}),
        ("ada:first, bob:second", {"ada": "first", "bob": "second"}),
    ],
)
def test_tokens_are_read_by_name(text: str, tokens: dict[str, str]) -> None:
    assert Settings.from_env(ENVIRONMENT | {"API_TOKENS": text}).tokens == tokens


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ada:", "entry 1 has no token"),
        ("hidden", "entry 1 has no token"),
        (":hidden", "entry 1 has no name"),
        ("a b:hidden", "entry 1 has no name"),
        ("ada:hid den", "entry 1 has a token with characters"),
        ("ada:hidden,", "entry 2 has no name"),
        ('ada:"hidden"', "entry 1 has a token with characters"),
        ("ada:hidden:more", "entry 1 has a token with characters"),
        ("ada:hidden,ada:other", "entry 2 has the name ada"),
        ("ada:hidden,bob:hidden", "entry 2 has the token of another one"),
    ],
)
def test_a_wrong_setting_says_how_to_mend_it_and_shows_no_token(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as wrong:
        Settings.from_env(ENVIRONMENT | {"API_TOKENS": text})
    assert "write name:token" in str(wrong.value)
    assert "hid" not in str(wrong.value)


def test_settings_show_no_token() -> None:
    assert "hidden" not in repr(Settings.from_env(ENVIRONMENT | {"API_TOKENS": "ada:hidden"}))
