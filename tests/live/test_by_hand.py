"""What a person starts: run, data push, promote, rollback; the same cases for every driver.

In order: each begins with what the one before has left, and the last leaves the first data and model served.
"""

import hashlib
import re

import pytest
import yaml
from helpers import FLOWERS, SPECIES, STAGES, detail, predict, states

RAW = "iris.csv"


@pytest.fixture(scope="module")
def first(sandbox):
    """What was served before anything was done by hand; it and the raw data are there again at the end."""
    raw, model = sandbox.get_raw(RAW), sandbox.json("status")["model"]
    yield model
    sandbox.put_raw(RAW, raw)
    sandbox.json("promote", model["version"])


@pytest.fixture(scope="module")
def history(sandbox, first):  # noqa: ARG001 the order: the first state is read before
    """What the cases leave for later ones."""
    return {}


def version(mlflow, number):
    found = mlflow("model-versions/get", name="iris", version=number)["model_version"]
    return found | {"tags": {tag["key"]: tag["value"] for tag in found["tags"]}}


def versions(mlflow):
    return mlflow("model-versions/search", filter="name='iris'")["model_versions"]


def metrics(mlflow, run_id):
    return {
        each["key"]: each["value"] for each in mlflow("runs/get", run_id=run_id)["run"]["data"]["metrics"]
    }


def of_run(mlflow, run_id):
    """The only version that a run of the loop registered."""
    (found,) = [
        each
        for n in versions(mlflow)
        if (each := version(mlflow, n["version"]))["tags"]["loop_run_id"] == run_id
    ]
    return found


def checksums(data, version):
    """The md5 of each file of a data version, by path, as DVC's lock has them in its tag."""
    outs = yaml.safe_load(data.git("show", f"DV_{version}:dvc.lock"))["stages"]["split"]["outs"]
    return {out["path"]: out["md5"] for out in outs}


def version_of(files):
    """The data version that these checksums are."""
    lines = "".join(f"{path} {files[path]}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


@pytest.fixture(scope="module")
def served(sandbox):
    """A function that tells what predictions say of the model: its version, or another header's value."""

    def ask(header="X-Model-Version"):
        answer = predict(sandbox, FLOWERS)
        assert answer.json() == {"predictions": SPECIES}
        return answer.headers[header]

    return ask


def test_a_dry_run_checks_and_starts_nothing(sandbox, first):
    before = sandbox.json("trace")
    wanted = {"code": first["git_sha"][:8], "data": f"DV_{first['data_version']}"}
    plan = sandbox.json(
        "run", "--code", wanted["code"], "--data", wanted["data"], "--no-promote", "--dry-run"
    )
    assert (plan["dag"], plan["conf"]) == (
        "train_and_serve",
        {
            "reason": "manual",
            "code_commit": first["git_sha"],
            "data_version": first["data_version"],
            "promote": False,
        },
    )
    assert re.fullmatch(r"manual-\d+", plan["run_id"])
    by_version = sandbox.json("run", "--code", f"iris/{first['version']}", "--dry-run")
    assert by_version["conf"] == {"reason": "manual", "code_commit": first["git_sha"]}
    assert by_version["run_id"] == plan["run_id"]
    assert sandbox.json("trace")["run_id"] == before["run_id"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("run", "--code", "0123456789ab"), "model_training has no commit '0123456789ab'"),
        (("run", "--code", "999"), "iris has no version 999"),
        (("run", "--data", "0123456789ab"), "no data version '0123456789ab'"),
        (("promote", "999"), "iris has no version 999"),
        (("promote", "1", "--model", "nobody"), "No registered model is called 'nobody'"),
        (("rollback", "999"), "iris has no version 999"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(sandbox, first, served, command, said):
    refused = sandbox.run(*command)
    assert refused.returncode == 1
    assert said in refused.stderr
    known = {"--data": first["data_version"], "999": f"{first['version']} (code {first['git_sha'][:12]})"}
    hint = next((known[word] for word in command if word in known), "")
    assert hint in refused.stderr
    assert served() == first["version"]


def test_promoting_the_served_version_changes_nothing(sandbox, mlflow, first):
    before = version(mlflow, first["version"])["tags"]
    done = sandbox.run("promote", first["version"])
    assert done.returncode == 0
    assert "served already" in done.stdout
    assert version(mlflow, first["version"])["tags"] == before


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), ("1,2,3,4,setosa\n", "names no column 'species'")]
)
def test_a_file_that_is_no_table_is_not_put(sandbox, first, tmp_path, text, said):  # noqa: ARG001
    raw = sandbox.get_raw(RAW)
    (tmp_path / "no.csv").write_text(text)
    refused = sandbox.run("data", "push", str(tmp_path / "no.csv"))
    assert refused.returncode == 1
    assert said in refused.stderr
    assert sandbox.get_raw(RAW) == raw


def test_pushed_data_become_a_data_version_and_a_served_model(
    sandbox, mlflow, first, served, history, tmp_path
):
    header, row, *rows = sandbox.get_raw(RAW).splitlines()
    changed = f"{float(row.split(',')[0]) + 0.1:.1f},{row.split(',', 1)[1]}"
    (tmp_path / "changed.csv").write_text("\n".join([header, changed, *rows]) + "\n")
    receipt = sandbox.json("data", "push", str(tmp_path / "changed.csv"))
    assert receipt["state"] == "passed", receipt
    assert re.fullmatch(r"manual-\d+", receipt["run_id"])
    assert [stage["name"] for stage in receipt["stages"]] == STAGES
    new = of_run(mlflow, receipt["run_id"])
    assert new["tags"]["data_version"] != first["data_version"]
    assert served("X-Data-Version") == new["tags"]["data_version"]
    assert served() == new["version"]
    history["pushed"] = new["version"]


def test_an_old_commit_with_old_data_gives_the_old_files_and_figures(
    sandbox, mlflow, first, served, history, clone
):
    """Workspaces, caches and the raw file are gone; one command, and what is served stays."""
    sandbox.remove_caches()
    work = clone("model_training")
    with (work.folder / "NEWER.md").open("a") as file:
        file.write("A newer commit.\n")
    work.push("A newer commit\n\nStarts-Run: no")
    sandbox.remove_raw(RAW)
    receipt = sandbox.json(
        "run", "--code", first["git_sha"][:12], "--data", first["data_version"], "--no-promote"
    )
    assert receipt["state"] == "passed", receipt
    assert states(receipt)["promote"] == "skipped"
    assert f"DV_{first['data_version']} restored" in detail(receipt, "data")
    data = clone("data_preprocessing")
    files = checksums(data, first["data_version"])
    assert version_of(files) == first["data_version"]
    old, again = version(mlflow, first["version"]), of_run(mlflow, receipt["run_id"])
    for key in ("code_commit", "data_version", "image"):
        assert again["tags"][key] == old["tags"][key], key
    made_from = f"data commit: {again['tags']['data_commit']}"  # later ones may give the same data
    assert made_from in data.git("cat-file", "tag", f"DV_{first['data_version']}").splitlines()
    assert again["run_id"] != old["run_id"]
    figures = metrics(mlflow, old["run_id"])
    assert "accuracy" in figures
    assert metrics(mlflow, again["run_id"]) == figures
    assert served() == history["pushed"]
    print(f"\n{receipt['seconds']} s; accuracy {figures['accuracy']} as before; {files}")


def test_rollback_serves_what_was_served_before(sandbox, first, served, history):
    receipt = sandbox.json("rollback")
    assert receipt["state"] == "passed", receipt
    assert [stage["name"] for stage in receipt["stages"]] == ["promote", "serve", "verify"]
    assert history["pushed"] in detail(receipt, "promote")
    assert served() == first["version"]
    assert sandbox.json("trace", receipt["run_id"]) == receipt


def test_promote_serves_the_named_version(sandbox, served, history):
    done = sandbox.run("promote", f"iris/{history['pushed']}")
    assert done.returncode == 0, done.stderr
    assert served() == history["pushed"]


def test_a_promotion_that_waits_is_completed_by_hand(sandbox, airflow, mlflow, first, served, history):
    """As with PROMOTION=manual, asked for by the run alone: no service has to start again for it."""
    plan = sandbox.json("run", "--code", first["version"], "--data", first["data_version"], "--dry-run")
    run_id, conf = plan["run_id"], plan["conf"] | {"promote": "manual"}
    asked = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    airflow("POST", f"/dags/{plan['dag']}/dagRuns", asked)
    waiting = sandbox.run("trace", run_id, "--wait")
    assert waiting.returncode == 3, waiting.stdout
    assert "make promote" in waiting.stdout
    assert served() == history["pushed"]

    number = of_run(mlflow, run_id)["version"]
    assert sandbox.json("promote", number)["state"] == "passed"
    assert served() == number
    completed = sandbox.json("trace", run_id)
    assert completed["state"] == "passed"
    assert {states(completed)[name] for name in ("promote", "serve", "verify")} == {"passed"}


def test_a_challenger_answers_its_share_until_it_is_ended(sandbox, first):
    """Each user meets one of the two and keeps it."""
    assert sandbox.json("challenge", first["version"], "--percent", "50")["challenger"]["percent"] == 50.0

    def answer(**headers):
        found = predict(sandbox, FLOWERS, **headers).headers
        return found["X-Model-Role"], found["X-Model-Version"]

    seen = {user: answer(**{"X-Split-Key": user}) for user in map(str, range(60))}
    champion = sandbox.json("status")["model"]["version"]
    assert set(seen.values()) == {("champion", champion), ("challenger", first["version"])}
    assert all(answer(**{"X-Split-Key": user}) == who for user, who in seen.items())
    assert answer(**{"X-Model-Role": "champion"}) == ("champion", champion)
    refused = sandbox.run("challenge", champion)
    assert (refused.returncode, "is the champion" in refused.stderr) == (1, True)
    assert sandbox.json("challenge", "--off")["challenger"] is None
    assert {answer() for _ in range(20)} == {("champion", champion)}
