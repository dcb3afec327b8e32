"""A model is given up only where MLflow itself says that it is champion no more."""

from collections.abc import Callable, Iterator
from typing import Any

import models
import pytest
import requests

from prediction_api.copies import Copies
from prediction_api.errors import RegistryError
from prediction_api.follower import Follower
from prediction_api.identity import Identity
from prediction_api.model import Model
from prediction_api.registry import Look, Registry
from prediction_api.service import Service
from prediction_api.serving import COPY, MLFLOW
from prediction_api.settings import Settings

ONE, TWO = models.identity("1"), models.identity("2")
SEARCH, GET = "registered-models/search", "registered-models/get"
ABSENT = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}
SHOWN = {"registered_model": {"name": ONE.name}}
WITH_ALIAS = {"registered_model": {"name": ONE.name, "aliases": [{"alias": "champion", "version": "1"}]}}


class Answers(Registry):
    """The client with the answers of a server put in: status and JSON by the end of the route."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.answers: dict[str, tuple[int, Any]] = {}

    def _get(self, route: str, **_: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, content = self.answers[route.removeprefix("mlflow/")]
        response.json = lambda: content
        response._content = b"not read"
        return response


class Hiccup:
    """A registry that names a champion and breaks off while sending its files."""

    champion_now: Identity | None = TWO

    def look(self) -> Look:
        return Look(self.champion_now)

    def artifact_root(self, _: Identity) -> Iterator[str]:
        raise RegistryError("MLflow broke off.")


@pytest.fixture
def follow(service: Service, iris_model: Model) -> Callable[[Any], Follower]:
    """A follower of a registry, version 1 serving from its copy."""
    service.settings.models_folder.mkdir(parents=True)
    service.settings.models_folder.joinpath("current.json").write_text("{}")
    service.serving.swap(iris_model, COPY)
    copies = Copies(service.settings.models_folder, keep=2)
    return lambda registry: Follower(service.settings, service.serving, registry, copies, service.metrics)


def test_a_hiccup_of_mlflow_is_no_refusal(service: Service, follow: Callable[[Any], Follower]) -> None:
    follower = follow(Hiccup())
    pauses = [follower.look() for _ in range(3)]
    assert pauses[0] < pauses[1] < pauses[2]
    assert service.serving.last_refusal is None
    assert service.serving.identity == ONE
    rendered = service.metrics.render().decode()
    assert "prediction_api_registry_errors_total 3.0" in rendered
    assert 'prediction_api_swaps_total{result="refused"}' not in rendered


def test_a_refusal_is_forgotten_once_the_champion_is_what_serves(
    service: Service, follow: Callable[[Any], Follower]
) -> None:
    registry = Hiccup()
    registry.champion_now = ONE
    service.serving.last_refusal = {"version": "2"}
    follow(registry).look()
    assert service.serving.last_refusal is None
    assert service.serving.source == MLFLOW


@pytest.mark.parametrize(
    ("search", "get", "serves"),
    [
        ((200, {"registered_models": [{"name": ONE.name}]}), (200, SHOWN), False),
        ((200, {}), (200, WITH_ALIAS), True),
        ((200, {}), (404, ABSENT), True),
        ((200, {}), (404, {"detail": "no such route"}), True),
        ((200, {}), (200, {}), True),
        ((200, {}), (503, None), True),
        ((500, {}), (200, SHOWN), True),
        ((200, None), (200, SHOWN), True),
    ],
    ids=["alias-gone", "promoted-meanwhile", "empty", "no-route", "no-model", "error", "failed", "no-json"],
)
def test_only_a_model_shown_without_champion_is_unloaded(
    service: Service,
    follow: Callable[[Any], Follower],
    search: tuple[int, Any],
    get: tuple[int, Any],
    serves: bool,
) -> None:
    registry = Answers(service.settings)
    registry.answers = {SEARCH: search, GET: get}
    follow(registry).look()
    assert (service.serving.identity == ONE) == serves
    assert service.settings.models_folder.joinpath("current.json").exists() == serves
    assert service.workers.describe()[0]["version"] == ("1" if serves else None)
