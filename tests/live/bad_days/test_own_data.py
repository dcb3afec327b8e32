"""docs/your-own-data.md, done word by word; then the scenario iris brings the flowers back.

Two loops. The page's blocks `sh` are one script, those `text` are what it must have said.
"""

import re
import shutil
import subprocess

import pytest
from helpers import FLOWERS, SPECIES, bearer, predict

MADE = ("orders.csv", "data_preprocessing", "model_training")  # by the page, in the sandbox's folder


def blocks(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def squeeze(text):
    return " ".join(text.split())


def matches(line, said):
    """Whether a line of the page was printed; `…` stands for anything in one line of output."""
    pattern = r"[^\n]*?".join(map(re.escape, squeeze(line).split("…")))
    return any(re.search(pattern, squeeze(printed)) for printed in said.splitlines())


def run(script, sandbox):
    """The script in the sandbox's folder, stopped by the first command that fails."""
    # A prediction ends without a new line.
    script = script.replace("http://127.0.0.1:8801", sandbox.url("prediction-api")).replace(
        "\ncurl -s", f"\necho; curl -s -H 'Authorization: {bearer(sandbox)['Authorization']}'"
    )
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=sandbox.folder,
        env=sandbox.shell() | {"COLUMNS": "300"},  # room for the details of a receipt
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def followed(root, sandbox):
    """The page, and what its commands printed."""
    page = (root / "docs/your-own-data.md").read_text()
    result = run("\n".join(blocks(page, "sh")), sandbox)
    assert result.returncode == 0, result.stdout + result.stderr
    yield page, f"{result.stdout}\n{result.stderr}"
    for name in MADE:
        path = sandbox.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_every_command_of_the_page_says_what_the_page_says(followed):
    page, said = followed
    lines = [line for block in blocks(page, "text") for line in block.splitlines()]
    assert len(lines) >= 10
    assert [line for line in lines if not matches(line, said)] == [], said
    print("\n" + "\n".join(line for line in said.splitlines() if "passed" in line))


def test_the_model_of_own_data_is_served_by_its_name(followed, sandbox):  # noqa: ARG001
    model = sandbox.json("status")["model"]
    assert (model["name"], model["version"]) == ("orders", "1")
    assert sandbox.trace("orders/1")["git_sha"] == model["git_sha"]


def test_the_scenario_iris_brings_the_flowers_back_and_names_what_it_replaced(followed, sandbox):  # noqa: ARG001
    mine = sandbox.json("status")["model"]["git_sha"]
    back = sandbox.run("scenario", "iris")
    assert back.returncode == 0, back.stdout + back.stderr
    named = f"params.yaml of model_training was a person's own; to have it back: git checkout {mine[:12]}"
    assert named in back.stderr
    assert "params.yaml of data_preprocessing was a person's own" in back.stderr
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}
    assert sandbox.json("status")["model"]["name"] == "iris"


def test_a_scenario_that_is_served_is_left_alone(followed, sandbox):  # noqa: ARG001
    before = sandbox.json("status")["model"]
    again = sandbox.json("scenario", "iris")
    assert (again["state"], again["pushed"]) == ("passed", {})
    assert again["example"]["answer"] == {"predictions": ["setosa"]}
    assert sandbox.json("status")["model"] == before
