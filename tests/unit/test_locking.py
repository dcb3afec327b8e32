"""One command that starts or stops servers at a time; the second one says which."""

import os

import pytest

from sandbox import locking
from sandbox.errors import MachineError


@pytest.fixture(autouse=True)
def clone(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "ROOT", tmp_path)


@pytest.mark.parametrize("first", ["up", "destroy"])
def test_the_second_command_names_the_first(first):
    with locking.only_one(first), pytest.raises(MachineError) as caught, locking.only_one("down"):
        pass
    assert str(caught.value) == f"At work here already: {first} (process {os.getpid()})."


def test_a_command_that_has_ended_is_not_named():
    with locking.only_one("destroy"):
        pass
    with locking.only_one("up"), pytest.raises(MachineError, match="already: up"), locking.only_one("down"):
        pass
