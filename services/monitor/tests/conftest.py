"""A world to watch, Git repositories, and a monitor that looks when a test says so."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from world import World

from monitor.app import create_app
from monitor.runs import FIRST_LOOK
from monitor.settings import Settings
from monitor.store import Store
from monitor.watch import Watch

GIT = {
    **{"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]},
    **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{"GIT_AUTHOR_DATE": "1767225600 +0000", "GIT_COMMITTER_DATE": "1767225600 +0000"},
}


class Repository:
    """A bare repository, and commits on its main."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(path))

    def commit(self, text: str) -> str:
        tree = self._git("-C", str(self.path), "hash-object", "-t", "tree", "-w", "--stdin")
        parent = self._git("-C", str(self.path), "for-each-ref", "--format=%(objectname)", "refs/heads/main")
        parents = ("-p", parent) if parent else ()
        made = self._git("-C", str(self.path), "commit-tree", tree, *parents, "-m", text)
        self._git("-C", str(self.path), "update-ref", "refs/heads/main", made)
        return made

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], env=GIT, capture_output=True, text=True, check=True, input=""
        )
        return done.stdout.strip()


class Monitor:
    """A monitor whose thread does not run; `again` is the same after a restart."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.opened: list[Monitor] = [self]
        self.store = Store(settings.home)
        self.watch = Watch(self.store, settings)
        self.client: FlaskClient = create_app(self.store, self.watch).test_client()

    def look(self) -> None:
        self.watch.look()

    def again(self, **changed: object) -> "Monitor":
        self.store.close()
        after = Monitor(replace(self.settings, **changed))
        self.opened.append(after)
        after.opened = self.opened
        return after

    def since_the_beginning(self) -> None:
        """Take what was recorded for what ends while this monitor looks."""
        self.store.know(FIRST_LOOK, 0.0)

    def messages(self) -> list[dict]:
        return self.client.get("/messages").json["messages"]

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Values by name of the sample, then by the values of its labels in the order of their names."""
        found: dict[str, dict[tuple[str, ...], float]] = {}
        text = self.client.get("/metrics").get_data(as_text=True)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found

    def value(self, name: str, *labels: str) -> float | None:
        return self.metrics().get(name, {}).get(labels)


@pytest.fixture
def world() -> Iterator[World]:
    running = World()
    yield running
    running.close()


@pytest.fixture
def repository(tmp_path: Path) -> Callable[[str], Repository]:
    return lambda name: Repository(tmp_path / "git" / f"{name}.git")


@pytest.fixture
def settings(world: World, tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        airflow_url=world.url,
        airflow_user="loop",
        airflow_password="secret",
        mlflow_url=world.url,
        status_url=f"{world.url}/api/v1",
        git_url=f"file://{tmp_path}/git",
        organisation="mlops",
        repositories=("model_training",),
        celebrate=0.97,
    )


@pytest.fixture
def monitor(settings: Settings, repository: Callable[[str], Repository]) -> Iterator[Monitor]:
    for name in settings.repositories:
        repository(name).commit("first")
    running = Monitor(settings)
    yield running
    for each in running.opened:
        each.store.close()
