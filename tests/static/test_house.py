"""The rules of the house that are tests."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

LEAVES = {"errors", "console", "wait"}


def tracked(root: Path) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return [root / name for name in names if (root / name).is_file()]


def text_files(root: Path) -> list[Path]:
    return [path for path in tracked(root) if path.suffix not in {".png", ".parquet"}]


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_services_and_repositories_import_neither_the_tool_nor_each_other(root):
    owners = {
        "services/ci": "ci",
        "services/prediction-api": "prediction_api",
        "services/monitor": "monitor",
        "gitea_repos/data_preprocessing": "data_preprocessing",
        "gitea_repos/model_training": "model_training",
        "gitea_repos/airflow_dags": "loop",
    }
    checked = 0
    for folder, own in owners.items():
        foreign = {*owners.values(), "sandbox"} - {own}
        for path in (root / folder).rglob("*.py"):
            if ".venv" not in path.parts:
                checked += 1
                assert not {name.split(".")[0] for name in imported_modules(path)} & foreign, path
    assert checked > 20


def test_leaf_modules_know_nothing_but_errors(root):
    for name in LEAVES:
        ours = {
            m for m in imported_modules(root / "scripts/sandbox" / f"{name}.py") if m.startswith("sandbox")
        }
        assert all(m.startswith("sandbox.errors") for m in ours), name


@pytest.mark.parametrize("folder", ["clients", "drivers"])
def test_clients_and_drivers_do_not_know_steps_or_commands(root, folder):
    for path in (root / "scripts/sandbox" / folder).glob("*.py"):
        for module in imported_modules(path):
            assert not module.startswith(("sandbox.steps", "sandbox.cli", "sandbox.context")), path


def test_only_the_console_prints_and_only_the_cli_exits(root):
    for path in (root / "scripts/sandbox").rglob("*.py"):
        text = path.read_text()
        assert path.name == "cli.py" or "sys.exit(" not in text, path
        assert path.name == "console.py" or not re.search(r"\bprint\(", text.replace(".print(", "")), path


def test_shell_files_are_short_and_makefile_recipes_have_one_line(root):
    for path in tracked(root):
        if path.suffix == ".sh":
            assert len(path.read_text().splitlines()) <= 30, path
    recipes = re.split(r"\n(?=\S)", (root / "Makefile").read_text())
    assert all(
        len([line for line in recipe.splitlines() if line.startswith("\t")]) <= 1 for recipe in recipes
    )


def test_lock_files_pin_with_hashes_and_name_no_index(root):
    locks = [path for path in tracked(root) if path.name.endswith(".lock")]
    assert len(locks) >= 9
    for path in locks:
        text = path.read_text()
        assert "--hash=sha256:" in text, path
        assert "://" not in text, path


def test_no_file_names_a_folder_of_a_developers_machine(root):
    for path in text_files(root):
        # /home/jenkins is a folder of the agent's image.
        assert not re.search(r"/(work/main|root/\.|home/(?!jenkins/)[a-z]+/)", path.read_text()), path


def test_nothing_listens_beyond_this_machine(root):
    """A container may listen on all its own addresses: test_compose.py looks at what is published."""
    for path in text_files(root):
        inside = {"tests", "compose"} & set(path.parts)
        if path.suffix in {".py", ".yaml", ".yml", ".sh", ".cfg"} and not inside:
            assert not re.search(r"0\.0\.0\.0(?!\": \"127)", path.read_text()), path


def test_every_sample_repository_is_a_complete_project(root):
    wanted = {"README.md", "Makefile", "Jenkinsfile", "pyproject.toml", "requirements.lock"}
    for name, more in {
        "data_preprocessing": {"Dockerfile"},
        "model_training": {"Dockerfile"},
        "airflow_dags": set(),
    }.items():
        present = {path.name for path in (root / "gitea_repos" / name).iterdir()}
        assert wanted | more <= present, name


def test_jenkinsfiles_call_make_only(root):
    for path in (root / "gitea_repos").glob("*/Jenkinsfile"):
        commands = re.findall(r"""sh\s+['"](.*?)['"]""", path.read_text())
        assert commands, path
        assert all(re.fullmatch(r"make [a-z]+", command) for command in commands), path
