"""Servers that are away, and time that passes."""

import time

import pytest

from monitor.store import KEEP_DAYS, Store


@pytest.mark.parametrize(
    ("gone", "service"), [("airflow", "airflow"), ("mlflow", "mlflow"), ("statuses", "ci")]
)
def test_a_server_that_is_away_leaves_what_was_seen(monitor, world, gone, service):
    monitor.look()
    before = monitor.metrics()
    assert set(before["loop_service_up"].values()) == {1.0}
    world.away = {gone}
    monitor.look()
    after = monitor.metrics()
    down = [labels for labels, value in after["loop_service_up"].items() if value == 0]
    assert down == [(service,)]
    for name in ("loop_runs_total", "loop_served_info", "loop_served_metric", "loop_builds_pending"):
        assert after[name] == before[name]
    world.away = set()
    monitor.look()
    assert monitor.value("loop_service_up", service) == 1


def test_git_away(monitor, settings):
    monitor.look()
    (settings.home.parent / "git").rename(settings.home.parent / "moved")
    monitor.look()
    assert monitor.metrics()["loop_service_up"] == {("airflow",): 1, ("ci",): 1, ("git",): 0, ("mlflow",): 1}
    assert monitor.metrics()["loop_builds_pending"]


def test_nothing_answers_from_the_start(monitor, world, settings):
    world.close()
    (settings.home.parent / "git").rename(settings.home.parent / "moved")
    monitor.look()
    assert monitor.metrics()["loop_service_up"] == dict.fromkeys(
        [("airflow",), ("ci",), ("git",), ("mlflow",)], 0
    )
    assert monitor.client.get("/").status_code == 200
    assert monitor.value("loop_look_timestamp_seconds") > 0


def test_an_answer_that_nobody_foresaw_ends_no_look(monitor, world):
    world.models = {"registered_models": [{"no": "name"}]}
    world.tasks = None
    monitor.look()
    assert monitor.metrics()["loop_builds_pending"]
    assert monitor.client.get("/health").status_code == 503  # its thread does not run in these tests
    monitor.watch.start()
    assert monitor.client.get("/health").json["watches"]
    monitor.watch.stop()


def test_old_rows_go_and_counters_stay(monitor, tmp_path):
    monitor.since_the_beginning()
    monitor.look()
    before = monitor.metrics()["loop_runs_total"]
    monitor.store.forget(time.time() + (KEEP_DAYS + 400) * 86_400)
    monitor.store.close()
    store = Store(tmp_path / "home")
    assert store._rows("SELECT count(*) FROM runs") == [(0,)]
    assert store._rows("SELECT count(*) FROM events") == [(0,)]
    store.close()
    monitor = monitor.again()
    assert monitor.metrics()["loop_runs_total"] == before
