"""A project folder to run the stages in, and the raw iris table."""

import shutil
import subprocess
from pathlib import Path

import pytest
from lab import Lab, finish
from samples import MIXED_PARAMS, TESTS, make_patients

from data_preprocessing import layout


@pytest.fixture
def iris() -> str:
    """The raw iris table: 150 rows, one of them an exact copy of another."""
    return (TESTS / "iris.csv").read_text()


@pytest.fixture
def project(tmp_path, monkeypatch, iris) -> Path:
    """The working directory, with the tests' own params.yaml and the iris table as raw data."""
    shutil.copy(TESTS / layout.PARAMS, tmp_path)
    layout.write_text(tmp_path / layout.RAW, iris)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mixed(project) -> Path:
    """The same with numbers, categories, integers, a text column, nulls and a column nobody asked for."""
    layout.write_text(project / layout.PARAMS, MIXED_PARAMS)
    layout.write_text(project / layout.RAW, make_patients())
    return project


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session", autouse=True)
def first_process(request) -> subprocess.Popen | None:
    """Start the task beside the other tests, if any asks for its result."""
    asked = any("first" in getattr(item, "fixturenames", ()) for item in request.session.items)
    return request.getfixturevalue("lab").start() if asked else None


@pytest.fixture(scope="session")
def first(first_process) -> tuple[int, dict, str]:
    """Exit code, result and output of the first run of the task, by its real entry point."""
    return finish(first_process)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for the first run last."""
    items.sort(key=lambda item: "first" in getattr(item, "fixturenames", ()))
