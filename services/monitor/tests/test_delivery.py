"""Events on their way."""

import time
from datetime import UTC, datetime

import pytest

from monitor import delivery


@pytest.fixture
def monitor(monitor, world):
    monitor.since_the_beginning()
    return monitor.again(alertmanager_url=world.url)


def test_with_alertmanager_events_go_there_once(monitor, world):
    monitor.look()
    monitor = monitor.again()
    monitor.look()
    assert len(world.alerts) == 5
    assert monitor.messages() == []
    alert = next(a for a in world.alerts if a["labels"]["alertname"] == "LoopRejected")
    assert alert["labels"]["severity"] == "info"
    assert set(alert["annotations"]) == {"summary", "impact", "command", "runbook"}
    assert datetime.fromisoformat(alert["endsAt"]) > datetime.now(UTC)
    assert all(isinstance(text, str) for part in ("labels", "annotations") for text in alert[part].values())


def test_alertmanager_away_they_wait(monitor, world):
    world.away = {"alertmanager"}
    monitor.look()
    assert monitor.messages() == []
    world.away = set()
    monitor.look()
    assert len(world.alerts) == 5
    assert monitor.messages() == []


def test_alertmanager_away_for_long_the_inbox_has_them(monitor, world, monkeypatch):
    world.away = {"alertmanager"}
    monitor.look()
    monkeypatch.setattr(time, "time", lambda real=time.time: real() + delivery.PATIENCE)
    monitor.look()
    assert len(monitor.messages()) == 5
    world.away = set()
    monitor.look()
    assert (world.alerts, len(monitor.messages())) == ([], 5)


def test_what_alertmanager_refuses_the_inbox_has(monitor, world):
    world.refuses_alerts = 400
    monitor.look()
    assert len(monitor.messages()) == 5
