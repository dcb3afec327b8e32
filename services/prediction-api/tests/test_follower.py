"""How often MLflow and a refused version are tried; what they answer is in test_following.py."""

from collections.abc import Iterator

import models
import pytest

from prediction_api.copies import Copies
from prediction_api.errors import Refusal, RegistryError
from prediction_api.follower import LONGEST_OUTAGE_PAUSE, Follower
from prediction_api.identity import Identity
from prediction_api.registry import Look
from prediction_api.service import Service


class Registry:
    """A registry whose champion cannot be had, or that is away altogether."""

    def __init__(self, version: str | None) -> None:
        self.version = version
        self.tries: list[str] = []

    def look(self) -> Look:
        if self.version is None:
            raise RegistryError("away.")
        return Look(models.identity(self.version))

    def artifact_root(self, identity: Identity) -> Iterator[str]:
        self.tries.append(identity.version)
        raise Refusal("no files")


@pytest.fixture
def registry() -> Registry:
    return Registry("1")


@pytest.fixture
def follower(service: Service, registry: Registry) -> Follower:
    copies = Copies(service.settings.models_folder, keep=2)
    return Follower(service.settings, service.serving, registry, copies, service.metrics)


def test_a_refused_version_is_not_tried_at_every_look(follower: Follower, registry: Registry) -> None:
    for _ in range(5):
        follower.look()
    assert registry.tries == ["1"]


def test_another_version_is_tried_at_once(follower: Follower, registry: Registry, service: Service) -> None:
    follower.look()
    registry.version = "2"
    follower.look()
    assert registry.tries == ["1", "2"]
    assert service.serving.last_refusal["version"] == "2"


def test_pauses_grow_while_mlflow_is_away_and_are_short_again_after(
    follower: Follower, registry: Registry
) -> None:
    registry.version = None
    pauses = [follower.look() for _ in range(10)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_OUTAGE_PAUSE
    registry.version = "1"
    assert follower.look() == pauses[0]
