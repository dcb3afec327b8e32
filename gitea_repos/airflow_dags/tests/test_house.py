"""The rules of this repository that a program can check."""

import ast
import re

import pytest

from tests.neighbours import ROOT

FILES = sorted([*(ROOT / "loop").glob("*.py"), *(ROOT / "dags").glob("*.py")])
NAMES = [f"{file.parent.name}/{file.name}" for file in FILES]


def imports(text: str) -> set[str]:
    """The modules a file imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_module_keeps_the_rules(file) -> None:
    text = file.read_text()
    used = imports(text)
    place = f"{file.parent.name}/{file.name}"
    assert "mlflow" not in used, "importing mlflow costs every task seconds"
    assert file.parent.name == "dags" or not any(name.split(".")[0] in ("airflow", "dags") for name in used)
    assert place == "loop/wait.py" or "sleep(" not in text
    assert place in ("loop/settings.py", "dags/runtime.py") or "os.environ" not in text
    # settings.py only hands the key on to child processes.
    assert place in ("loop/settings.py", "dags/runtime.py") or "TASK_RUNTIME" not in text
    assert len(text.splitlines()) <= 200


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_public_functions_promise_something_and_are_short(file) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 35, node.name
            assert node.name.startswith("_") or ast.get_docstring(node) or node.name == "show", node.name


def test_the_tree_in_the_readme_is_the_repository() -> None:
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"^[│├└─ ]+([\w.\-/]+)", text, re.MULTILINE))
    there = {file.name for file in FILES if file.name != "__init__.py"}
    assert there <= named, there - named
    missing = {name for name in named if not any(ROOT.rglob(name.rstrip("/")))}
    assert not missing


def test_the_pipeline_calls_make_targets_named_like_its_stages() -> None:
    text = (ROOT / "Jenkinsfile").read_text()
    stages = re.findall(r"stage\('(\w+)'\)", text)
    assert stages == ["install", "lint", "test", "deliver"]
    assert re.findall(r"sh '([^']+)'", text) == [f"make {stage}" for stage in stages]
    assert re.search(r"stage\('deliver'\) \{\s+when \{ branch 'main' \}", text)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(stages) <= set(targets)
