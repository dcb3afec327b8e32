"""A taken port is seen, its holder named, and the next free one used everywhere."""

import os
import socket

import pytest

from sandbox import ports, preflight
from sandbox.endpoints import embedded_endpoints
from sandbox.settings import create_env_file, load_settings, save_setting


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_is_not_free_and_its_holder_is_named(taken):
    assert not ports.is_free(taken)
    assert f"(pid {os.getpid()})" in ports.holder(taken)


def test_the_next_free_port_is_above_and_not_one_of_ours(taken):
    first = ports.next_free(taken, set())
    assert first > taken
    assert ports.next_free(taken, {first}) > first


def test_a_moved_port_is_written_and_reaches_every_address(taken, folder, monkeypatch, capsys):
    create_env_file(folder)
    save_setting("MLFLOW_PORT", str(taken), folder)
    monkeypatch.setattr(preflight, "save_setting", lambda name, value: save_setting(name, value, folder))
    assert preflight.move_taken_ports(load_settings(folder), ("MLFLOW",), set())
    settings = load_settings(folder)
    assert settings.mlflow_port > taken
    loop_env = embedded_endpoints(settings, folder).loop_env(settings)
    assert loop_env["MLFLOW_TRACKING_URI"] == f"http://127.0.0.1:{settings.mlflow_port}"
    assert f"MLFLOW_PORT={settings.mlflow_port}" in capsys.readouterr().err.replace("\n", "")
