"""What retention takes, and that it takes nothing that somebody needs."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
from fakeserver import FakeServer
from workshop import Repository

from ci.app import Ci
from ci.environments import locked
from ci.needs import Needs
from ci.retention import Shelf, tidy
from ci.sessions import NotYet

CODE, DATA = "model_training", "data_preprocessing"
DAY = 86_400.0


class Images:
    """A folder of images, each used a day after the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def add(self, repository: str, environment: str) -> str:
        self.count += 1
        path = self.folder / f"{self.count:064x}"
        path.mkdir(parents=True)
        (path / "image.json").write_text(json.dumps({"repository": repository, "environment": environment}))
        used = self.folder / "environments" / environment
        used.mkdir(parents=True, exist_ok=True)
        for each in (path, used):
            os.utime(each, (self.count * DAY, self.count * DAY))
        return f"env:sha256:{path.name}"

    def refs(self) -> set[str]:
        return {f"env:sha256:{path.name}" for path in self.folder.glob("0*")}

    def environments(self) -> set[str]:
        return {path.name for path in (self.folder / "environments").iterdir()}


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path / "images")


def test_the_oldest_images_of_each_repository_go_and_the_needed_one_stays(images: Images) -> None:
    data = images.add(DATA, "d")
    code = [images.add(CODE, "c") for _ in range(5)]
    Shelf(images.folder, 2, 3).tidy(lambda: {code[0]})
    assert images.refs() == {data, code[0], *code[-2:]}
    assert images.environments() == {"c", "d"}


def test_environments_beyond_the_number_go_with_their_images(images: Images) -> None:
    kept = images.add(CODE, "a1")
    images.add(CODE, "b2")
    last = [images.add(CODE, "c3"), images.add(CODE, "d4")]
    Shelf(images.folder, 10, 3).tidy(lambda: {kept})
    assert images.refs() == {kept, *last}
    assert images.environments() == {"a1", "c3", "d4"}


def test_what_a_build_may_be_at_work_with_stays_whatever_the_numbers(images: Images) -> None:
    newest = {images.add(DATA, "a1"), images.add(CODE, "b2")}
    Shelf(images.folder, 1, 1).tidy(set)
    assert images.refs() == newest
    assert images.environments() == {"a1", "b2"}


def test_nobody_is_asked_where_nothing_is_beyond_the_numbers(images: Images) -> None:
    images.add(CODE, "a1")

    def refuse() -> set[str]:
        raise AssertionError("asked")

    assert Shelf(images.folder, 1, 1).tidy(refuse) == []


def test_a_service_that_is_away_keeps_everything(images: Images, caplog: pytest.LogCaptureFixture) -> None:
    refs = {images.add(CODE, "a1") for _ in range(3)}

    def away() -> set[str]:
        raise NotYet("MLflow does not answer")

    tidy(Shelf(images.folder, 1, 1), away)
    assert images.refs() == refs
    assert "MLflow does not answer" in caplog.text


def test_nothing_goes_while_a_build_makes_an_image(images: Images) -> None:
    refs = {images.add(CODE, "a1") for _ in range(3)}
    with locked(images.folder / ".lock", shared=True):
        assert Shelf(images.folder, 1, 1).tidy(set) == []
    assert images.refs() == refs
    assert len(Shelf(images.folder, 1, 1).tidy(set)) == 2


def test_a_half_made_image_of_a_killed_build_goes(images: Images) -> None:
    images.add(CODE, "a1")
    for name, age in (("new", 0.0), ("old", 2 * DAY)):
        path = images.folder / f".new-{name}"
        path.mkdir()
        if age:
            os.utime(path, (age, age))
    Shelf(images.folder, 1, 1).tidy(set)
    assert [path.name for path in images.folder.glob(".new-*")] == [".new-new"]


class Neighbours:
    """Airflow and MLflow, with one version behind an alias and one run."""

    def __init__(self, server: FakeServer, run: dict, plan: dict | None) -> None:
        tags = [{"key": "image", "value": "served"}, {"key": "data_commit", "value": "d" * 40}]
        path = "/api/v2/dags/train_and_serve/dagRuns"
        model = {"name": "iris", "aliases": [{"alias": "champion", "version": "3"}]}
        server.answers = {
            "POST /auth/token": (201, {"access_token": "t"}),
            f"GET {path}?state=queued&state=running&limit=100": (200, {"dag_runs": [run]}),
            f"GET {path}/r/taskInstances/plan/xcomEntries/return_value": (
                (200, {"value": plan}) if plan else (404, {})
            ),
            "GET /api/2.0/mlflow/registered-models/search": (200, {"registered_models": [model]}),
            "GET /api/2.0/mlflow/model-versions/get": (200, {"model_version": {"tags": tags}}),
        }
        self.loop = {
            **{"AIRFLOW_URL": server.url, "AIRFLOW_WEB_URL": server.url, "MLFLOW_TRACKING_URI": server.url},
            **{"AIRFLOW_USER": "loop", "AIRFLOW_PASSWORD": "p"},
        }


def test_served_running_and_newest_green_images_are_needed(
    ci: Ci, repository: Repository, fake: FakeServer
) -> None:
    green, red = (repository.push_files({"n": str(number)}) for number in range(2))
    for sha, state in ((green, "success"), (red, "failure")):
        ci.statuses.add(CODE, sha, state, "ci")
        ci.statuses.add(CODE, sha, "success", "image", f"image of {sha}")
    ci.statuses.add(DATA, "d" * 40, "success", "image", "the served model's data")
    run = {"dag_run_id": "r", "conf": {"image": "pushed", "code_commit": "c" * 40}}
    plan = {"code_image": "old code", "data_image": "old data"}
    needs = Needs(ci.repositories, ci.statuses, Neighbours(fake, run, plan).loop)
    wanted = {f"image of {green}", "served", "the served model's data", "pushed", "old code", "old data"}
    assert needs.refs() - {""} == wanted


def test_an_old_run_that_has_not_planned_yet_keeps_everything(
    ci: Ci, repository: Repository, fake: FakeServer
) -> None:
    repository.push_files({"n": "1"})
    run = {"dag_run_id": "r", "conf": {"data_version": "a" * 12}}
    with pytest.raises(NotYet, match="the run r has not settled yet"):
        Needs(ci.repositories, ci.statuses, Neighbours(fake, run, None).loop).refs()


def test_builds_go_by_age_too_and_leave_the_statuses_that_say_how_they_ended(
    ci: Ci, repository: Repository
) -> None:
    builds = []
    for number in range(3):
        sha = repository.push_files({"n": str(number)})
        build, _ = ci.store.add_build(CODE, "refs/heads/main", ci.repositories.commit(CODE, sha))
        builds.append(build)
        for state in ("pending", "pending", "success"):
            ci.statuses.add(CODE, sha, state, "ci", state)
        ci.store.finish_build(build, "success", "")
    with sqlite3.connect(ci.store.path) as connection:
        connection.execute("UPDATE builds SET finished_at = 5 WHERE number = 1")
    assert ci.store.forget_builds(CODE, 10, before=6) == [1]
    assert [status.state for status in ci.statuses.all(CODE, builds[0].sha, "oldest")] == [
        "pending",
        "success",
    ]
    assert len(ci.statuses.all(CODE, builds[1].sha)) == 3
