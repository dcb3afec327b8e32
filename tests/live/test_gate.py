"""Models that must not be served: each is pushed as a person would, and the old one goes on serving.

In order, on one history: the last push is fine again, and the model of the usual parameters is served.
"""

import re
import subprocess

import pytest
from conftest import Clone
from helpers import FLOWERS, SPECIES, cut_tests, detail, predict, put_back, states

from sandbox.wait import wait_until

STUMPS = {  # one test row worse than the usual model
    "pipeline: logistic_regression": "pipeline: random_forest",
    "  C: 1.0\n  max_iter: 1000": "  max_depth: 1\n  n_estimators: 10",
}
PROCESS = {
    "params.yaml": {
        "pipeline: logistic_regression": "pipeline: gaussian_process",
        "  C: 1.0\n  max_iter: 1000": "  max_iter_predict: 100",
    },
    "model_training/pipelines.py": {
        "from sklearn.impute import": "from sklearn.gaussian_process import GaussianProcessClassifier\n"
        "from sklearn.impute import",
        '    "random_forest":': '    "gaussian_process": Recipe(GaussianProcessClassifier, dense=True),\n'
        '    "random_forest":',
    },
}
FOREIGN = [  # to skops, and to the API
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
]
TREE = '    "sklearn.tree._tree.Tree"'
TRUSTED = {TREE: "".join(f'    "{name}",\n' for name in FOREIGN) + TREE}
OLDER = "1.8.0"  # of scikit-learn, than the API has
LABELS = {"pipeline.predict(rows).tolist()}": "pipeline.predict(rows).tolist()[::-1]}"}


@pytest.fixture(scope="module")
def before(sandbox):
    """The model that is served when the first of these pushes comes."""
    return sandbox.json("status")["model"]


@pytest.fixture(scope="module")
def work(sandbox, before, tmp_path_factory):  # noqa: ARG001 the order: what is served is read before
    """A clone of model_training; `start` is the commit that it began with."""
    clone = Clone(sandbox, "model_training", tmp_path_factory.mktemp("gate") / "model_training")
    clone.start = clone.git("rev-parse", "HEAD")
    return clone


def change(work, name, replacements):
    for old, new in replacements.items():
        work.edit(name, old, new)


def begin(work):
    """The files of the start, with few tests."""
    put_back(work, work.start)
    cut_tests(work)


def stays(sandbox, before):
    """The model of before serves, and predicts what it did."""
    assert sandbox.json("status")["model"] == before
    answer = predict(sandbox, FLOWERS)
    assert (answer.json(), answer.headers["X-Model-Version"]) == ({"predictions": SPECIES}, before["version"])


def registered(mlflow, commit):
    """Versions that were made of a commit."""
    found = mlflow("model-versions/search", filter="name='iris'")["model_versions"]
    return [v["version"] for v in found if {"key": "code_commit", "value": commit} in v["tags"]]


def rejected(sandbox, mlflow, statuses, before, commit):
    """The reason of a rejection, which is told everywhere and has changed nothing."""
    receipt = sandbox.trace(commit)
    assert receipt["state"] == "rejected", receipt
    assert sandbox.run("trace", commit).returncode == 1
    said = states(receipt)
    assert (said["train"], said["gate"]) == ("passed", "rejected")
    assert {said[name] for name in ("register", "tag", "promote", "serve", "verify")} == {"skipped"}
    reason = detail(receipt, "gate")
    status = statuses("model_training", commit)["gate"]
    assert status["status"] == "failure"
    shown = status["description"].removesuffix("…")  # a status has room for 250 characters
    assert len(shown) > 50
    assert f"gate: {reason}".startswith(shown)
    assert registered(mlflow, commit) == []
    stays(sandbox, before)
    print(f"\nrejected after {receipt['seconds']} s: {reason}")
    return reason


def test_the_first_model_passed_by_the_thresholds_alone(sandbox, before):  # noqa: ARG001
    receipt = sandbox.trace("1")
    assert detail(receipt, "gate").endswith("; there is no champion yet")


def test_a_model_one_test_row_worse_is_rejected(sandbox, mlflow, statuses, work, before):
    begin(work)
    change(work, "params.yaml", STUMPS)
    reason = rejected(sandbox, mlflow, statuses, before, work.push("Stumps"))
    ours, theirs = re.search(r"accuracy ([\d.]+) is worse than ([\d.]+) of champion", reason).groups()
    rows = 30  # test rows of iris.csv
    assert round((float(theirs) - float(ours)) * rows) == 1, reason
    assert reason.endswith(f"champion {before['version']}")


def test_foreign_types_and_another_scikit_learn_are_rejected_with_both_versions(
    sandbox, mlflow, statuses, work, before
):
    """What the API could not load: model_training trusts the types by itself, its lock is older."""
    begin(work)
    for name, replacements in PROCESS.items():
        change(work, name, replacements)
    change(work, "model_training/trust.py", TRUSTED)
    text = (work.folder / "pyproject.toml").read_text()
    newer = re.search(r"scikit-learn==([\d.]+)", text)[1]
    work.edit("pyproject.toml", f"scikit-learn=={newer}", f"scikit-learn=={OLDER}")
    subprocess.run(["make", "lock"], cwd=work.folder, check=True, timeout=300, env=sandbox.shell())
    reason = rejected(sandbox, mlflow, statuses, before, work.push("Gaussian processes of an older library"))
    assert f"trained with scikit-learn {OLDER}, the API serves {newer}" in reason
    assert f"the API does not load the type {', '.join(FOREIGN)}" in reason


def test_a_model_that_answers_otherwise_than_it_was_tested_is_taken_back(
    sandbox, mlflow, statuses, work, before
):
    """It passes the gate and is promoted; `verify` sees it and the old champion returns."""
    begin(work)
    change(work, "model_training/evaluation.py", LABELS)
    commit = work.push("Labels in another order")
    receipt = sandbox.trace(commit)
    assert receipt["state"] == "failed", receipt
    assert sandbox.run("trace", commit).returncode == 1
    said = states(receipt)
    assert (said["promote"], said["serve"], said["verify"]) == ("passed", "passed", "failed")
    reason = detail(receipt, "verify")
    print(f"\ntaken back after {receipt['seconds']} s: {reason}")
    assert "live predictions differ from the registered model's" in reason
    assert f"the champion is {before['version']} again" in reason
    assert statuses("model_training", commit)["served"]["status"] == "failure"
    assert len(registered(mlflow, commit)) == 1
    back = f"the API to serve version {before['version']}"
    wait_until(lambda: sandbox.json("status")["model"] == before, what=back, seconds=60)
    stays(sandbox, before)


def test_an_equal_model_is_promoted(sandbox, work, before):
    put_back(work, work.start)
    receipt = sandbox.trace(work.push("The usual model again\n\nAll tests are back."))
    assert receipt["state"] == "passed", receipt
    ours, theirs = re.fullmatch(
        rf"accuracy ([\d.]+), champion {before['version']} ([\d.]+)", detail(receipt, "gate")
    ).groups()
    assert ours == theirs
    assert predict(sandbox, FLOWERS).headers["X-Git-Commit"] == work.git("rev-parse", "HEAD")


def test_an_older_commit_that_finishes_last_is_superseded(sandbox, airflow, statuses, work):
    """Its `promote` runs after that of a newer commit: here because somebody clears it in Airflow."""
    served = sandbox.json("status")["model"]
    older = work.git("rev-list", "--max-parents=0", "HEAD")
    again = {"dag_run_id": f"push-model_training-{older[:12]}", "task_ids": ["promote"], "dry_run": False}
    asked = again | {"only_failed": False, "include_downstream": True}
    airflow("POST", "/dags/train_and_serve/clearTaskInstances", asked)
    receipt = wait_until(
        lambda: (seen := sandbox.trace(older)) and states(seen)["promote"] == "skipped" and seen,
        what="promote of the older commit",
        seconds=120,
    )
    newer = f"superseded by version {served['version']}, trained by the later commit {served['git_sha'][:12]}"
    assert detail(receipt, "promote") == newer
    assert statuses("model_training", older)["served"]["description"] == f"promote: {newer}"
    assert sandbox.json("status")["model"] == served
