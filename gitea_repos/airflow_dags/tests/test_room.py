"""A full disk is named, with where it is and what to do, whatever fails on it."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from loop.errors import Failure, Unreachable
from loop.room import LEAST_FREE, MIB, check_room, shortage, shortage_named

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def store(tmp_path: Path) -> str:
    (tmp_path / "images of mine").mkdir()
    return (tmp_path / "images of mine").as_uri()


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch):
    """Say how many MiB every disk has."""
    return lambda mib: monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, mib * MIB))


def test_a_disk_with_room_is_no_news(store, free) -> None:
    free(LEAST_FREE)
    check_room(store)
    with pytest.raises(Unreachable, match=r"^MLflow answered 500$"), shortage_named(store):
        raise Unreachable("MLflow answered 500")


def test_a_full_disk_is_named_with_its_place_and_what_mends_it(store, free, tmp_path) -> None:
    free(7)
    named = rf"the disk of {tmp_path} is full: 7 MiB are free, \d+ are needed; make room"
    with pytest.raises(Failure, match=f"^{named}"):
        check_room(store)
    with pytest.raises(Failure, match=f"^MLflow answered 500; {named}"), shortage_named(store):
        raise Unreachable("MLflow answered 500")
    with pytest.raises(Failure) as caught, shortage_named(store):
        check_room(store)
    assert str(caught.value).count("is full") == 1, "said once"


@pytest.mark.parametrize("store", ["", "registry:5000", "file:///nowhere/at/all"])
def test_a_store_elsewhere_says_nothing_of_this_disk(store, free) -> None:
    free(0)
    assert shortage(store) == ""
