"""A server killed (`kill -9`) at each stage of the loop: the loop ends as it should, with one training.

A telling subset by default; every server at every stage with FAULTS=all. The stages of a run need no push:
those of `ci` have a test of their own.
"""

import json
import re
import subprocess
import threading
from functools import partial

import pytest
import requests
from helpers import EVERY_FAULT, FLOWERS, SPECIES, predict, states

from sandbox.wait import stopwatch, wait_until

STAGES = ("data", "train", "gate", "register", "tag", "promote", "serve", "verify")
SERVICES = ("mlflow", "prediction-api", "ci", "airflow-scheduler")
TELLING = [
    (("mlflow", "train"), ("mlflow", "register"), ("prediction-api", "serve")),  # all in one loop
    (("airflow-scheduler", "train"),),
]
CASES = [((service, stage),) for service in SERVICES for stage in STAGES] if EVERY_FAULT else TELLING
STARTED = re.compile(r"started (manual-\d+)")
TRAINED = "tags.loop_run_id = '{}'"


class Loop:
    """`sandbox run` while something else happens to it."""

    def __init__(self, sandbox) -> None:
        command = [str(sandbox.folder / ".venv/bin/sandbox"), "run", "-o", "json"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=sandbox.folder, stdout=pipe, stderr=pipe, text=True)
        said = ""
        while not (found := STARTED.search(said)):
            line = self.process.stderr.readline()
            assert line, f"sandbox run said only: {said}"
            said += line
        self.run_id = found[1]
        self.said: list[str] = []
        self.reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr))
        self.reader.start()

    def end(self) -> tuple[int, dict]:
        """Its exit code and receipt."""
        with self.process:
            printed = self.process.stdout.read()
            self.reader.join()
        assert printed.startswith("{"), "".join(self.said)
        return self.process.returncode, json.loads(printed)


@pytest.fixture(scope="module")
def begun(airflow):
    """Whether a task of a run of the loop has begun: `sandbox trace` is too slow for half a second."""

    def ask(run_id, task):
        found = airflow("GET", f"/dags/train_and_serve/dagRuns/{run_id}/taskInstances")["task_instances"]
        state = next((each["state"] for each in found if each["task_id"] == task), None)
        return state in ("running", "success", "failed", "up_for_retry")

    return ask


@pytest.fixture(scope="module")
def trainings(sandbox):
    """A function that tells how the trainings of a run ended, by its runs in MLflow."""
    url, login = sandbox.url("mlflow"), sandbox.login("mlflow")

    def ask(run_id):
        experiment = requests.get(
            f"{url}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": "iris"}, auth=login, timeout=30,
        ).json()["experiment"]["experiment_id"]  # fmt: skip
        body = {"experiment_ids": [experiment], "filter": TRAINED.format(run_id)}
        found = requests.post(f"{url}/api/2.0/mlflow/runs/search", json=body, auth=login, timeout=30)
        return sorted(run["info"]["status"] for run in found.json().get("runs", []))

    return ask


@pytest.fixture(autouse=True)
def all_well_again(sandbox):
    """After each case every server is healthy and the model answers."""
    yield
    wait_until(
        lambda: all(s["healthy"] for s in sandbox.json("status")["services"]), what="all healthy", seconds=120
    )
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}


def named(faults):
    return "+".join(f"{service}-{stage}" for service, stage in faults)


def report(faults, receipt, trained):
    spans = {each["name"]: each["seconds"] for each in receipt["stages"]}
    print(f"\nkilled: {named(faults)}: {receipt['state']} in {receipt['seconds']} s, trainings {trained}")
    print(spans)


@pytest.mark.parametrize("faults", CASES, ids=named)
def test_a_server_killed_during_a_stage_costs_nothing_but_time(sandbox, begun, trainings, mlflow, faults):
    loop = Loop(sandbox)
    for service, stage in faults:
        wait_until(partial(begun, loop.run_id, stage), what=f"the stage {stage}", seconds=300, interval=0.05)
        sandbox.control("kill", service)
    code, receipt = loop.end()
    trained = trainings(loop.run_id)
    report(faults, receipt, trained)
    assert (code, receipt["state"]) == (0, "passed"), receipt
    assert {states(receipt)[name] for name in STAGES} == {"passed"}
    assert trained.count("FINISHED") == 1, trained
    assert "RUNNING" not in trained, "a training that nobody ended"
    registered = mlflow("model-versions/search", filter=f"name = 'iris' and {TRAINED.format(loop.run_id)}")
    (version,) = registered["model_versions"]
    assert predict(sandbox, FLOWERS).headers["X-Model-Version"] == version["version"]


@pytest.mark.parametrize("service", SERVICES if EVERY_FAULT else ["ci"])
def test_a_server_killed_during_a_build_costs_nothing_but_time(sandbox, clone, trainings, service):
    work = clone("model_training")
    (work.folder / "NOTES.md").write_text(f"{service} is killed while this is built.\n")
    took = stopwatch()
    commit = work.push(f"Kill {service} during the build")

    def building():
        stages = {stage["name"]: stage for stage in sandbox.json("trace", commit)["stages"]}
        return "stage test" in stages["ci"]["detail"]

    wait_until(building, what="the stage test of the build", seconds=300)
    sandbox.control("kill", service)
    receipt = sandbox.trace(commit)
    trained = trainings(receipt["run_id"])
    report([(service, "ci")], receipt, trained)
    print(f"push → served: {took():.0f} s")
    assert receipt["state"] == "passed", receipt
    assert trained.count("FINISHED") == 1, trained
    assert predict(sandbox, FLOWERS).headers["X-Git-Commit"] == commit
