"""Rules about the project's files."""

import re
import subprocess
import sys

import pytest
from samples import PROJECT

TARGETS = ["install", "lint", "test", "image", "smoke", "deliver"]


def test_the_jenkinsfile_calls_each_make_target_in_a_stage_of_its_name():
    text = (PROJECT / "Jenkinsfile").read_text()
    assert re.findall(r"stage\('(\w+)'\)", text) == TARGETS
    assert re.findall(r"sh '(.*)'", text) == [f"make {target}" for target in TARGETS]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_pinned_package_has_a_hash_and_no_address(name):
    text = (PROJECT / name).read_text()
    packages = re.findall(r"^[a-z0-9][^\n]*?==.*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(packages) > 100
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text


def test_what_runs_is_also_what_is_tested():
    def pins(name):
        return set(re.findall(r"^([a-z0-9][^ \n]*==[^ ;\n]+)", (PROJECT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") < pins("requirements-dev.lock")


def test_the_task_starts_without_the_slow_imports():
    code = "import sys, data_preprocessing.task; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert not {"pandas", "mlflow", "dvc", "matplotlib", "sqlalchemy"} & set(done.stdout.split())


def test_the_readme_names_every_module_and_no_other():
    named = set(re.findall(r"── (\w+\.py) ", (PROJECT / "README.md").read_text()))
    assert named == {path.name for path in (PROJECT / "data_preprocessing").glob("*.py")} - {"__init__.py"}


def test_only_settings_reads_the_environment_and_only_console_prints():
    texts = {path.name: path.read_text() for path in (PROJECT / "data_preprocessing").glob("*.py")}
    # store.py sets variables for DVC, which takes some of its places from the environment alone.
    assert {name for name, text in texts.items() if "os.environ" in text} == {
        "settings.py",
        "store.py",
    }
    assert {name for name, text in texts.items() if re.search(r"\bprint\(", text)} == {"console.py"}
