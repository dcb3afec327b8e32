"""What the live tests look at: a prediction, and the words of a receipt; and two ways to change a clone."""

import os

import requests

EVERY_FAULT = os.environ.get("FAULTS") == "all"  # also those that one CI run has no time for
STAGES = ["push", "ci", "data", "train", "gate", "register", "tag", "promote", "serve", "verify"]
FLOWERS = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2], [6.0, 3.4, 4.5, 1.6], [4.8, 3.4, 1.6, 0.2]]
SPECIES = ["versicolor", "setosa", "versicolor", "setosa"]


def bearer(sandbox):
    """The header that predictions want; none where API_TOKENS is empty."""
    token = sandbox.setting("API_TOKENS").partition(",")[0].partition(":")[2]
    return {"Authorization": f"Bearer {token}"} if token else {}


def predict(sandbox, instances, **headers):
    url = f"{sandbox.url('prediction-api')}/predict"
    answer = requests.post(url, json={"instances": instances}, headers=bearer(sandbox) | headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer


def states(receipt):
    return {stage["name"]: stage["state"] for stage in receipt["stages"]}


def detail(receipt, name):
    return next(stage["detail"] for stage in receipt["stages"] if stage["name"] == name)


def cut_tests(work):
    """Leave of a clone of model_training the tests that take no time: its builds become cheap."""
    kept = {"conftest.py", "builders.py", "params.yaml", "test_project.py", "test_params.py"}
    for path in (work.folder / "tests").iterdir():
        if path.is_file() and path.name not in kept:
            path.unlink()


def put_back(work, commit):
    """Make the files of a clone what they were at a commit."""
    work.git("rm", "-r", "--quiet", "--force", ".")
    work.git("checkout", "--quiet", commit, "--", ".")
