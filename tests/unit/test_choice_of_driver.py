"""Which driver the first `make up` takes, and what it says."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from sandbox import drivers
from sandbox.drivers.base import Probe
from sandbox.errors import MachineError


@pytest.fixture
def saved(monkeypatch):
    """What would be written into .env."""
    written = {}
    monkeypatch.setattr(drivers, "save_setting", written.__setitem__)
    monkeypatch.setattr(drivers, "known_project", str)
    return written


def offer(monkeypatch, tmp_path, **probes):
    """Drivers with these probes; the embedded one has its data in `tmp_path`."""
    kinds = {
        name: lambda _, probe=probe: SimpleNamespace(probe=lambda: probe) for name, probe in probes.items()
    }
    monkeypatch.setattr(drivers, "DRIVERS", kinds)
    monkeypatch.setattr(drivers, "EmbeddedDriver", lambda _: SimpleNamespace(state=tmp_path / ".sandbox"))


def test_docker_is_the_first_choice():
    assert list(drivers.DRIVERS) == ["docker", "embedded"]


def test_the_first_usable_one_is_written(monkeypatch, tmp_path, settings, saved):
    offer(monkeypatch, tmp_path, docker=Probe(True, "Docker answers"), embedded=Probe(True, "always"))
    assert drivers.choose_driver(settings) == ("docker", "Docker answers")
    assert saved == {"DRIVER": "docker"}


def test_why_another_one_is_not_taken_is_said(monkeypatch, tmp_path, settings, saved):
    offer(monkeypatch, tmp_path, docker=Probe(False, "no image"), embedded=Probe(True, "always"))
    assert drivers.choose_driver(settings) == ("embedded", "not docker: no image; always")
    assert saved == {"DRIVER": "embedded"}


def test_data_that_is_there_decides(monkeypatch, tmp_path, settings, saved):
    offer(monkeypatch, tmp_path, docker=Probe(True, "Docker answers"), embedded=Probe(True, "always"))
    (tmp_path / ".sandbox").mkdir()
    assert drivers.choose_driver(settings)[0] == "embedded"
    monkeypatch.setattr(drivers, "known_project", lambda: "mine")
    assert drivers.choose_driver(settings)[0] == "docker"
    assert saved == {"DRIVER": "docker", "COMPOSE_PROJECT_NAME": "mine"}


def test_no_driver_is_an_error_with_every_reason(monkeypatch, tmp_path, settings, saved):
    offer(monkeypatch, tmp_path, docker=Probe(False, "no image"))
    with pytest.raises(MachineError, match="no image"):
        drivers.choose_driver(settings)
    assert saved == {}


def test_a_wrong_override_is_no_traceback(monkeypatch, settings):
    monkeypatch.setattr(
        drivers.docker, "connect", lambda: SimpleNamespace(version=lambda: {"Version": "29.0"})
    )
    monkeypatch.setattr(drivers.docker, "docker_plugin", lambda _: "2.40")
    monkeypatch.setattr(drivers.docker.engine, "check", lambda *_: None)
    wrong = replace(settings, driver="", compose_override="/nowhere.yaml")
    probe = drivers.DockerDriver(wrong).probe()
    assert not probe.usable
    assert "/nowhere.yaml" in probe.reason
