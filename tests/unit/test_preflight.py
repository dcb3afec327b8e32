"""Without room on the disk nothing starts, and the message says where, how much, and what to do."""

import shutil
from collections import namedtuple

import pytest

from sandbox.errors import MachineError
from sandbox.preflight import DISK_NEEDED, DISK_RESERVE, check_disk

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Say how many bytes every disk has."""
    return lambda size: monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, size))


@pytest.mark.parametrize(("installed", "needed"), [(False, DISK_NEEDED), (True, DISK_RESERVE)])
def test_a_start_needs_room_and_less_once_everything_is_installed(tmp_path, free, installed, needed):
    state = tmp_path / ".sandbox"
    if installed:
        state.mkdir()
    free(needed)
    check_disk(state)
    free(needed - 1024**2)
    with pytest.raises(MachineError, match=r"^P04 Only \d\.\d\d GiB are free on the disk of ") as caught:
        check_disk(state)
    assert str(tmp_path) in str(caught.value)
    assert "make up" in caught.value.hint
