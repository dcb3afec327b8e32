"""Jenkins' files: plugins pinned in full, and no variable that its Compose block does not demand."""

import re
from pathlib import Path

import pytest
import yaml
from composefiles import read_stack

# Configuration as Code warns of a variable that is not there and goes on with nothing; so it must not happen.
IN_YAML = re.compile(r"\$\{(?:\w+:\$\{)?(\w+)\}")
IN_GROOVY = re.compile(r"System\.getenv\('(\w+)'\)")


def plugins(root: Path) -> list[list[str]]:
    """The lines of each block of plugins.txt, a block being what follows a comment."""
    blocks = re.split(r"^#.*\n", (root / "jenkins/plugins.txt").read_text(), flags=re.MULTILINE)
    return [block.split() for block in blocks if block.strip()]


def test_plugins_are_pinned_sorted_and_named_once(root):
    lines = [line for block in plugins(root) for line in block]
    assert [line for line in lines if not re.fullmatch(r"[\w-]+:[\w.-]+", line)] == []
    assert all(block == sorted(block, key=lambda line: line.split(":")) for block in plugins(root))
    names = [line.split(":")[0] for line in lines]
    assert len(names) == len(set(names))


def variables(root: Path) -> dict[str, Path]:
    """Every variable that a file of Jenkins reads, with one file that does."""
    yaml_files, groovy_files = (root / "jenkins").rglob("*.yaml"), (root / "jenkins").rglob("*.groovy")
    found = {name: path for path in yaml_files for name in IN_YAML.findall(path.read_text())}
    return found | {name: path for path in groovy_files for name in IN_GROOVY.findall(path.read_text())}


@pytest.fixture(scope="module")
def given(root) -> dict[str, str]:
    """The environment of the container."""
    environment: dict[str, str] = read_stack(root / "compose").services["jenkins"]["environment"]
    return environment


def test_every_variable_is_given_and_cannot_be_empty(root, given):
    assert {"JENKINS_AGENT_KEY", "REPOSITORIES"} <= set(variables(root)), "the expressions find nothing"
    assert {name: path for name, path in variables(root).items() if name not in given} == {}
    assert [name for name in variables(root) if not given[name] or "?" in given[name].replace(":?", "")] == []


def test_nothing_is_given_that_nobody_reads(root, given):
    assert set(given) == set(variables(root))


def test_configuration_is_yaml_and_names_files_that_are_there(root):
    for path in (root / "jenkins/casc").glob("*.yaml"):
        assert yaml.safe_load(path.read_text()), path
    jobs = yaml.safe_load((root / "jenkins/casc/jobs.yaml").read_text())["jobs"]
    named = {Path(job["file"]).name for job in jobs}
    assert named == {path.name for path in (root / "jenkins/jobs").iterdir()}


def test_a_pushed_jenkinsfile_may_not_run_job_dsl_unasked(root):
    """The switch is for all of Jenkins, and a stored `false` would outlive its line."""
    security = yaml.safe_load((root / "jenkins/casc/jobs.yaml").read_text())["security"]
    assert security["globalJobDslSecurityConfiguration"] == {"useScriptSecurity": True}
