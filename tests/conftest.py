"""Shared by every kind of test: the project's root, and settings made from its example."""

import shutil
from pathlib import Path

import pytest

from sandbox.settings import Settings, create_env_file, load_settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with .env.example alone."""
    shutil.copy(ROOT / ".env.example", tmp_path)
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Settings:
    """The settings of a fresh .env in `folder`."""
    create_env_file(folder)
    return load_settings(folder)
