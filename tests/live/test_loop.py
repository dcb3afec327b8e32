"""The loop for real, with nothing but Git, HTTP and `sandbox -o json`: the same file for every driver."""

import re
import subprocess
import time

import pytest
import requests
from helpers import FLOWERS, SPECIES, STAGES, bearer, cut_tests, detail, predict, states

from sandbox.http import Http
from sandbox.wait import wait_until

MEASURED = ("sepal_length", "sepal_width", "petal_length", "petal_width")  # of FLOWERS
# Cases that a driver cannot run, with the reason.
SKIPPED: dict[str, dict[str, str]] = {"docker": {}, "embedded": {}}


@pytest.fixture(autouse=True)
def _skip_what_the_driver_cannot(request, sandbox):
    reasons = SKIPPED.get(sandbox.json("status")["driver"], {})
    if reason := reasons.get(request.node.name):
        pytest.skip(reason)


def served_version(sandbox):
    return sandbox.json("status")["model"]["version"]


def test_up_serves_a_model(sandbox):
    described = sandbox.json("status")
    assert all(service["healthy"] for service in described["services"])
    assert described["model"]["name"] == "iris"
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}


def test_the_first_commit_of_every_repository_is_green(sandbox, tmp_path):
    for name, repository in sandbox.json("status")["repositories"].items():
        command = ["git", "ls-remote", repository["clone_url"], "refs/heads/main"]
        head = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout.split()[0]

        def ci(commit=head):
            state = states(sandbox.json("trace", commit))["ci"]
            return state if state != "running" else None

        assert wait_until(ci, what=f"the build of {name}", seconds=300) == "passed", name


def test_a_push_becomes_a_served_model_with_a_receipt(sandbox, clone, mlflow, figures):
    work = clone("model_training")
    (work.folder / "NOTES.md").write_text("A harmless change.\n")
    commit = work.push("A harmless change")
    receipt = sandbox.trace(commit)
    assert receipt["state"] == "passed", receipt
    assert [stage["name"] for stage in receipt["stages"]] == STAGES
    assert set(states(receipt).values()) == {"passed"}
    started = [stage["started"] for stage in receipt["stages"]]
    assert started == sorted(started)
    figures.push_to_served_seconds = receipt["seconds"]
    print(f"\npush → served: {receipt['seconds']} s", {s["name"]: s["seconds"] for s in receipt["stages"]})

    answer = predict(sandbox, FLOWERS)
    assert answer.json() == {"predictions": SPECIES}
    assert answer.headers["X-Git-Commit"] == commit
    data_version = answer.headers["X-Data-Version"]

    version = mlflow("model-versions/get", name="iris", version=answer.headers["X-Model-Version"])[
        "model_version"
    ]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert tags["code_commit"] == commit
    assert tags["data_version"] == data_version
    assert tags["loop_run_id"] == receipt["run_id"] == f"push-model_training-{commit[:12]}"
    assert re.fullmatch(sandbox.machine.image, tags["image"])
    assert len(tags["data_commit"]) == 40
    assert "/job/model_training/" in tags["build"]

    artifacts = mlflow("artifacts/list", run_id=version["run_id"])["files"]
    assert {"receipt.json", "verification.json"} <= {file["path"] for file in artifacts}

    work.git("fetch", "--quiet", "--tags")
    tag = f"CV_{commit[:12]}_DV_{data_version}"
    assert work.git("cat-file", "-t", tag) == "tag"
    assert work.git("rev-parse", f"{tag}^{{commit}}") == commit
    data = clone("data_preprocessing")
    assert data.git("cat-file", "-t", f"DV_{data_version}") == "tag"


def test_load_is_answered_by_the_served_version(sandbox):
    found = sandbox.json("load", "--rate", "20", "--seconds", "3")
    print(f"\n{found['requests']} requests, {found['latency_ms']}")
    assert found["failed"] == 0, found["first_failure"]
    assert found["versions"] == {served_version(sandbox): found["requests"]}


def test_a_prediction_is_traced_by_its_request_id(sandbox):
    answer = predict(sandbox, FLOWERS)
    request_id, version = answer.headers["X-Request-Id"], answer.headers["X-Model-Version"]
    url = sandbox.url("prediction-api")
    labels = [SPECIES[1], *SPECIES[1:]]  # one of four that the model has wrong

    def told():
        body = {"request_id": request_id, "labels": labels}
        said = requests.post(f"{url}/feedback", json=body, headers=bearer(sandbox), timeout=10)
        assert said.status_code in (200, 404), said.text
        return said.json() if said.ok else None

    said = wait_until(told, what="the prediction to be logged", seconds=30)
    assert (said["version"], said["rows"], said["correct"]) == (version, 4, 3)
    traced = sandbox.json("trace", request_id)
    assert traced["git_sha"] == answer.headers["X-Git-Commit"]
    assert traced["state"] == "passed"
    assert states(traced)["verify"] == "passed"
    (logged,) = traced["prediction"]["answers"]
    assert (logged["version"], logged["role"]) == (version, "champion")
    # By name: MySQL keeps the members of an object in an order of its own.
    assert [[row["inputs"][name] for name in MEASURED] for row in logged["rows"]] == FLOWERS
    assert [row["prediction"] for row in logged["rows"]] == SPECIES
    assert [row["correct"] for row in logged["rows"]] == [False, True, True, True]
    assert all(1 / 3 < row["confidence"] <= 1 for row in logged["rows"])
    newest = requests.get(f"{url}/predictions?limit=4", headers=bearer(sandbox), timeout=10).json()["rows"]
    assert [row.get("label") for row in newest] == labels[::-1]
    metrics = requests.get(f"{url}/metrics", timeout=10).text
    for result, rows in {"correct": 3, "wrong": 1}.items():
        labelled = rf'model="iris",result="{result}",version="{version}"'
        assert re.search(rf"prediction_api_feedback_total\{{{labelled}\}} {rows}\.0", metrics), metrics
    print(f"\ntrace of a request: {logged['ms']} ms to answer", [row["confidence"] for row in logged["rows"]])


def test_accuracy_through_the_api_equals_the_metric_in_mlflow(sandbox, clone, mlflow):
    answer = predict(sandbox, FLOWERS)
    data = clone("data_preprocessing")
    data.git("checkout", "--quiet", f"DV_{answer.headers['X-Data-Version']}")
    subprocess.run(["make", "install"], cwd=data.folder, check=True, timeout=300, env=sandbox.shell())
    python = data.folder / ".venv/bin/python"
    subprocess.run([python, "-m", "dvc", "pull", "--quiet"], cwd=data.folder, check=True, timeout=120)
    read = "import pandas, sys; print(pandas.read_parquet(sys.argv[1]).to_csv(index=False))"
    parquet = data.folder / "data/processed/test.parquet"
    printed = subprocess.run(
        [python, "-c", read, parquet], capture_output=True, text=True, check=True, timeout=60
    )
    header, *lines = [line.split(",") for line in printed.stdout.strip().splitlines()]
    target = header.index("species")
    columns = [name for name in header if name != "species"]
    rows = [{name: float(line[header.index(name)]) for name in columns} for line in lines]
    predicted = predict(sandbox, rows).json()["predictions"]
    correct = sum(label == line[target] for label, line in zip(predicted, lines, strict=True))

    version = mlflow("model-versions/get", name="iris", version=answer.headers["X-Model-Version"])[
        "model_version"
    ]
    metrics = mlflow("runs/get", run_id=version["run_id"])["run"]["data"]["metrics"]
    logged = {metric["key"]: metric["value"] for metric in metrics}["accuracy"]
    assert correct / len(lines) == pytest.approx(logged)


LOAD = """
import mlflow.sklearn
import pandas
model = mlflow.sklearn.load_model("models:/iris@champion")
rows = pandas.DataFrame([[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2]], columns=list(model.feature_names_in_))
print(*model.predict(rows))
"""


def test_a_notebook_on_this_machine_loads_the_served_model(sandbox, clone):
    """Outside the services' network: artifacts come through MLflow, with its login and nothing else."""
    work = clone("model_training")
    subprocess.run(["make", "install"], cwd=work.folder, check=True, timeout=300, env=sandbox.shell())
    user, password = sandbox.login("mlflow") or ("", "")
    login = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password} if user else {}
    env = sandbox.shell() | {"MLFLOW_TRACKING_URI": sandbox.url("mlflow")} | login
    command = [work.folder / ".venv/bin/python", "-c", LOAD]
    loaded = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert loaded.stdout.split() == ["versicolor", "setosa"], loaded.stderr


def test_a_failing_test_stops_in_ci_and_the_old_model_serves(sandbox, clone):
    before = served_version(sandbox)
    work = clone("model_training")
    (work.folder / "tests" / "test_broken.py").write_text("def test_broken():\n    raise AssertionError\n")
    receipt = sandbox.trace(work.push("Break a test"))
    assert receipt["state"] == "failed"
    assert states(receipt)["ci"] == "failed"
    assert "tests.test_broken.test_broken" in detail(receipt, "ci")
    assert states(receipt)["train"] == "skipped"
    assert served_version(sandbox) == before
    cut_tests(work)  # the broken one too: what comes after is about the loop, and its builds become cheap
    work.push("Leave few tests\n\nStarts-Run: no")


def test_bad_raw_data_stops_at_data_and_names_column_and_rule(sandbox, clone):
    before = served_version(sandbox)
    lines = sandbox.get_raw("iris.csv").splitlines()
    lines[17] = lines[17].replace(lines[17].split(",")[2], "-4.2", 1)
    sandbox.put_raw("broken.csv", "\n".join(lines) + "\n")
    work = clone("data_preprocessing")
    work.edit("params.yaml", "iris.csv", "broken.csv")
    receipt = sandbox.trace(work.push("Use a broken file"))
    assert receipt["state"] == "failed"
    assert states(receipt)["data"] == "failed"
    assert "petal_length" in detail(receipt, "data")
    assert states(receipt)["train"] == "skipped"
    assert served_version(sandbox) == before
    work.edit("params.yaml", "broken.csv", "iris.csv")
    assert sandbox.trace(work.push("Use the good file again"))["state"] == "passed"


def test_up_on_a_running_stack_restarts_nothing(sandbox, figures):
    def running():
        """Process or container of each service, with its start where the detail tells that."""
        rows = sandbox.json("status")["services"]
        return {row["name"]: row["detail"].split(", uptime")[0] for row in rows}

    before = running()
    assert all(detail.startswith(("pid ", "container ")) for detail in before.values())
    started = time.monotonic()
    said = sandbox.make("up")
    figures.up_again_seconds = time.monotonic() - started
    assert running() == before
    steps = [
        line
        for line in said.splitlines()
        if re.match(r"✓ (databases|keys|buckets|raw data|repositories|first commits):", line)
    ]
    assert len(steps) >= 3
    assert all(line.endswith("unchanged") for line in steps), steps


def test_down_and_up_keep_model_and_history(sandbox):
    model = sandbox.json("status")["model"]
    newest = sandbox.json("trace")
    sandbox.make("down")
    services = sandbox.json("status")["services"]
    assert not any(service["healthy"] for service in services if "ended with 0" not in service["detail"])
    sandbox.make("up")
    assert sandbox.json("status")["model"] == model
    assert sandbox.json("trace", newest["run_id"])["stages"] == newest["stages"]
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}


def test_api_restarted_while_mlflow_is_down_serves_from_its_copy(sandbox):
    model = sandbox.json("status")["model"]
    sandbox.control("stop", "mlflow")
    try:
        sandbox.control("restart", "prediction-api")
        sandbox_ready(sandbox)
        assert predict(sandbox, FLOWERS).headers["X-Model-Version"] == model["version"]
    finally:
        sandbox.control("start", "mlflow")
        wait_until(lambda: healthy(sandbox, "mlflow"), what="MLflow to answer again", seconds=120)


def healthy(sandbox, name):
    return next(row["healthy"] for row in sandbox.json("status")["services"] if row["name"] == name)


def sandbox_ready(sandbox):
    url = f"{sandbox.url('prediction-api')}/ready"
    wait_until(lambda: Http("prediction-api", url).call("GET", "").ok, what="the API to serve", seconds=60)
