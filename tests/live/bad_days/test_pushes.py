"""Pushes as they come on a bad day: in a row, several commits at once, to two repositories, broken DAGs.

In order, on one history of each repository. MAIN_HEADS=50 pushes so many heads to main in a row.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from conftest import Clone
from helpers import FLOWERS, SPECIES, STAGES, cut_tests, detail, predict, put_back, states

from sandbox.wait import wait_until

HEADS = max(2, int(os.environ.get("MAIN_HEADS", "2")))
LOOP = "train_and_serve"


@dataclass
class Series:
    """Heads pushed to main of model_training in a row, and the inner commits of the last push."""

    work: Clone
    heads: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def before(sandbox):
    """The model that is served when the first of these pushes comes."""
    return sandbox.json("status")["model"]


def note(work, text):
    (work.folder / "NOTES.md").write_text(f"{text}.\n")


def commit(work, text):
    """A commit that is not pushed by itself."""
    note(work, text)
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", text)
    return work.git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def series(sandbox, before, tmp_path_factory):  # noqa: ARG001 the order: what is served is read before
    """The pushes, each traced to its end. The first leaves few tests; at the end all are back."""
    work = Clone(sandbox, "model_training", tmp_path_factory.mktemp("series") / "model_training")
    start, pushed = work.git("rev-parse", "HEAD"), Series(work)
    cut_tests(work)
    for number in range(1, HEADS + 1):
        if number == HEADS:
            pushed.inner = [commit(work, f"Inner commit {n}") for n in (1, 2)]
        note(work, f"Head {number} of {HEADS}")
        pushed.heads.append(work.push(f"Head {number} of {HEADS}"))
    pushed.receipts = [sandbox.trace(head) for head in pushed.heads]
    yield pushed
    put_back(work, start)
    work.push("All tests are back\n\nStarts-Run: no")


def version_of(receipt):
    return re.fullmatch(r"iris version (\d+)", detail(receipt, "register"))[1]


def test_heads_pushed_in_a_row_are_served_in_order(sandbox, before, series):
    seconds = [receipt["seconds"] for receipt in series.receipts]
    print(
        f"\n{HEADS} heads in a row, push → served: {min(seconds)} to {max(seconds)} s, last {seconds[-1]} s"
    )
    assert {receipt["state"] for receipt in series.receipts} == {"passed"}
    builds = [
        int(stage["url"].rstrip("/").rsplit("/", 1)[1])
        for receipt in series.receipts
        for stage in receipt["stages"]
        if stage["name"] == "ci"
    ]
    assert builds == sorted(builds)
    previous = before["version"]
    for receipt in series.receipts:
        number = version_of(receipt)
        assert detail(receipt, "promote") == f"iris version {number} is champion instead of {previous}"
        previous = number
    answer = predict(sandbox, FLOWERS)
    assert answer.json() == {"predictions": SPECIES}
    assert answer.headers["X-Git-Commit"] == series.heads[-1]


def test_of_several_commits_in_one_push_the_head_is_built(sandbox, statuses, series):
    assert states(series.receipts[-1])["ci"] == "passed"
    for inner in series.inner:
        receipt = sandbox.json("trace", inner)
        assert receipt["state"] == "skipped"
        assert [stage["name"] for stage in receipt["stages"]] == STAGES
        assert detail(receipt, "ci") == f"part of {series.heads[-1][:12]}"
        assert sandbox.run("trace", inner, "--wait").returncode == 0
        assert statuses("model_training", inner) == {}


def test_a_champion_that_came_after_the_gate_is_compared_with(sandbox, airflow, before, series):
    """Somebody promotes by hand while a candidate is past its gate: here `promote` is cleared in Airflow."""
    newest = series.receipts[-1]
    sandbox.json("promote", before["version"])
    again = {"dag_run_id": newest["run_id"], "task_ids": ["promote"], "dry_run": False}
    asked = again | {"only_failed": False, "include_downstream": True}
    airflow("POST", f"/dags/{LOOP}/clearTaskInstances", asked)
    number = version_of(newest)
    seen = version_of(series.receipts[-2])
    said = f"iris version {number} is champion instead of {before['version']}; the champion changed after the"
    said += f" gate, from {seen} to {before['version']}, and the model is no worse"

    def promoted():
        receipt = sandbox.trace(series.heads[-1])
        return detail(receipt, "promote") == said and receipt

    receipt = wait_until(promoted, what="the second promotion", seconds=120)
    assert receipt["state"] == "passed", receipt
    assert sandbox.json("status")["model"]["version"] == number


def test_the_same_code_and_data_from_two_pushes_are_trained_once(sandbox, series, clone):
    """Two repositories pushed at once: the run that comes second has nothing to do, and says so."""
    data = clone("data_preprocessing")
    note(data, "A harmless change")
    note(series.work, "A harmless change")
    pushed = [data.push("A harmless change"), series.work.push("A harmless change")]
    receipts = [sandbox.trace(commit) for commit in pushed]
    assert [receipt["state"] for receipt in receipts] == ["passed", "passed"], receipts
    second, first = sorted(receipts, key=lambda receipt: states(receipt)["train"] == "passed")
    assert (states(first)["train"], states(second)["train"]) == ("passed", "skipped")
    nothing = f"nothing to do: the same code, data, image and DAGs passed in {first['run_id']}"
    assert detail(second, "train") == nothing
    print(f"\nboth final after {max(receipt['seconds'] for receipt in receipts)} s; {nothing}")
    assert predict(sandbox, FLOWERS).headers["X-Git-Commit"] == pushed[1]


@pytest.fixture(scope="module")
def dags(sandbox, tmp_path_factory):
    """A clone of airflow_dags; `start` is the commit that it began with."""
    work = Clone(sandbox, "airflow_dags", tmp_path_factory.mktemp("dags") / "airflow_dags")
    work.start = work.git("rev-parse", "HEAD")
    return work


@pytest.fixture
def bundle(airflow):
    """A function that tells which commit of airflow_dags Airflow runs."""
    return lambda: airflow("GET", f"/dags/{LOOP}")["bundle_version"]


def test_dags_that_do_not_import_are_red_and_airflow_keeps_the_old_ones(sandbox, airflow, dags, bundle):
    for path in (dags.folder / "tests").glob("test_*.py"):
        if path.name != "test_dags.py":
            path.unlink()
    with (dags.folder / "dags/train_and_serve.py").open("a") as file:
        file.write('\nraise RuntimeError("does not import")\n')
    receipt = sandbox.trace(dags.push("Break the DAGs"))
    assert receipt["state"] == "failed"
    assert detail(receipt, "ci").startswith("stage test")
    assert bundle() == dags.start
    assert airflow("GET", "/importErrors")["import_errors"] == []


def test_the_schedule_trains_on_unchanged_data_while_the_dags_on_main_are_broken(
    sandbox, airflow, mlflow, dags
):
    before = sandbox.json("status")["model"]
    airflow("POST", "/dags/schedule/dagRuns", {"logical_date": None})

    def scheduled():
        newest = sandbox.json("trace")
        return newest["run_id"].startswith("schedule-") and newest["run_id"]

    receipt = sandbox.trace(wait_until(scheduled, what="the run of the schedule", seconds=60))
    assert receipt["state"] == "passed", receipt
    assert "unchanged" in detail(receipt, "data")
    now = sandbox.json("status")["model"]
    assert now["data_version"] == before["data_version"]
    old, new = (
        mlflow("model-versions/get", name="iris", version=model["version"])["model_version"]
        for model in (before, now)
    )
    age = (new["creation_timestamp"] - old["creation_timestamp"]) / 1000
    print(f"\nthe served model is {age:.0f} s younger")
    assert age > 0
    tags = {tag["key"]: tag["value"] for tag in new["tags"]}
    assert tags["loop_run_id"] == receipt["run_id"]
    assert tags["dag_commit"] == dags.start


def test_pushed_dags_are_green_when_airflow_runs_them(sandbox, dags, bundle):
    put_back(dags, dags.start)
    mended = dags.push("Mend the DAGs")
    receipt = sandbox.trace(mended)
    assert receipt["state"] == "passed", receipt
    assert bundle() == mended
    print(f"\nDAGs pushed → run by Airflow: {receipt['seconds']} s")
    assert {states(receipt)[name] for name in STAGES[2:]} == {"skipped"}
