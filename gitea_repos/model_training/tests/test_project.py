"""Files of the project that must agree with each other."""

import re

import pytest

from model_training.settings import PARAMS_FILE

ROOT = PARAMS_FILE.parent


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_each_stage_calls_the_target_of_its_name():
    stages = re.findall(r"stage\('(\w+)'\).*?sh 'make (\w+)'", read("Jenkinsfile"), re.DOTALL)
    assert [stage for stage, _ in stages] == ["install", "lint", "test", "image", "smoke", "deliver"]
    assert all(stage == target for stage, target in stages)
    assert {stage for stage, _ in stages} < set(re.findall(r"^(\w+):.*## ", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_hashes_and_no_address(name):
    lock = read(name)
    packages = re.findall(r"^[a-z0-9][^\s=]*==\S+.*\\$", lock, re.MULTILINE)
    assert len(packages) > 100
    assert len(packages) == len(re.findall(r"^[a-z0-9]", lock, re.MULTILINE))
    assert "://" not in lock
