"""The monitor beside the loops that this session has run: its figures, its inbox, its memory."""

import re
from collections import defaultdict

import pytest
import requests
from helpers import STAGES

from sandbox.wait import wait_until

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
MEMORY_MIB = 60  # resident
LOOK_SECONDS = 60


@pytest.fixture(scope="module")
def get(sandbox):
    """GET of a route of the monitor."""

    def ask(path):
        answer = requests.get(f"{sandbox.url('monitor')}{path}", timeout=20)
        assert answer.ok, answer.text
        return answer

    return ask


@pytest.fixture(scope="module")
def metrics(get):
    """Samples by name: their labels and value."""

    def read():
        found = defaultdict(list)
        for name, labels, value in SAMPLE.findall(get("/metrics").text):
            found[name].append((dict(LABEL.findall(labels)), float(value)))
        return found

    return read


def total(samples, **wanted):
    return sum(value for labels, value in samples if wanted.items() <= labels.items())


@pytest.fixture(scope="module")
def seen(sandbox, airflow, metrics):  # noqa: ARG001 the loop has run
    """The metrics, once each end that Airflow knows is counted; a run that was cleared ended twice."""
    dags = ("train_and_serve", "promote_model")
    runs = [run for dag in dags for run in airflow("GET", f"/dags/{dag}/dagRuns?limit=100")["dag_runs"]]
    ended = [run for run in runs if run["state"] in ("success", "failed")]
    assert ended
    return wait_until(
        lambda: (found := metrics()) and total(found["loop_runs_total"]) >= len(ended) and found,
        what=f"the monitor to count {len(ended)} ended runs",
        seconds=LOOK_SECONDS,
    )


def test_every_server_answered(metrics, seen):  # noqa: ARG001 after a look
    """One that an earlier test has just started again is seen at the next look."""
    answered = dict.fromkeys(("airflow", "mlflow", "ci", "git"), 1.0)
    wait_until(
        lambda: {labels["service"]: value for labels, value in metrics()["loop_service_up"]} == answered,
        what="the monitor to hear of every server",
        seconds=LOOK_SECONDS,
    )


def test_what_is_served(sandbox, mlflow, metrics, seen):  # noqa: ARG001 after a look
    model = sandbox.json("status")["model"]
    wanted = {key: model[name] for key, name in (("model", "name"), ("version", "version"))}
    wanted |= {"code_commit": model["git_sha"], "data_version": model["data_version"]}
    found = wait_until(
        lambda: (now := metrics()) and [labels for labels, _ in now["loop_served_info"]] == [wanted] and now,
        what=f"the monitor to see {wanted}",
        seconds=LOOK_SECONDS,
    )
    version = mlflow("model-versions/get", name=model["name"], version=model["version"])["model_version"]
    run = mlflow("runs/get", run_id=version["run_id"])["run"]["data"]["metrics"]
    accuracy = next(row["value"] for row in run if row["key"] == "accuracy")
    assert total(found["loop_served_metric"], metric="accuracy") == pytest.approx(accuracy)
    for what in ("created", "promoted", "data"):
        assert total(found[f"loop_served_{what}_timestamp_seconds"]) > 1e9, what


def test_loops_are_counted_and_timed(seen):
    served = total(seen["loop_runs_total"], dag="train_and_serve", outcome="served")
    assert served >= 1
    assert 1 <= total(seen["loop_push_to_served_seconds_count"]) <= served
    for stage in STAGES[1:]:
        assert total(seen["loop_stage_seconds_count"], stage=stage) >= 1, stage
    latest = {labels["stage"]: round(value, 1) for labels, value in seen["loop_stage_last_seconds"]}
    mean = total(seen["loop_push_to_served_seconds_sum"]) / total(seen["loop_push_to_served_seconds_count"])
    print(f"\npush to served, on average {mean:.0f} s; stages of the newest run: {latest}")


def test_each_end_that_matters_is_one_message(get, seen):
    told = {"served": 0, "rejected": 0, "failed": 0, "waiting": 0}
    for labels, value in seen["loop_runs_total"]:
        if labels["outcome"] in told:
            told[labels["outcome"]] += int(value)

    def of_runs():
        messages = [m for m in get("/messages").json()["messages"] if "run_id" in m["labels"]]
        return messages if len(messages) >= sum(told.values()) else None

    messages = wait_until(of_runs, what=f"messages of {told}", seconds=180)
    outcomes = [message["labels"]["outcome"] for message in messages]
    assert {word: outcomes.count(word) for word in told} == told
    print("\n" + "\n".join(f"{m['at']} {m['name']}: {m['summary']}" for m in messages))
    for message in messages:
        assert message["command"].startswith("make "), message
        assert message["severity"] == "info"
    rejected = [m for m in messages if m["name"] == "LoopRejected"]
    assert total(seen["loop_rejections_total"]) >= len(rejected)
    assert all(" was rejected at " in m["summary"] for m in rejected)
    page = get("/").text
    assert messages[0]["labels"]["run_id"] in page


def test_a_restart_forgets_and_repeats_nothing(sandbox, get, metrics, seen):
    before = get("/messages").json()
    sandbox.control("restart", "monitor")

    def looked():
        try:
            found = metrics()
        except requests.RequestException:
            return None
        return found if found["loop_look_timestamp_seconds"] else None

    after = wait_until(looked, what="the monitor to look again", seconds=LOOK_SECONDS)
    assert after["loop_runs_total"] == seen["loop_runs_total"]
    assert after["loop_restore_seconds_sum"] == seen["loop_restore_seconds_sum"]
    assert get("/messages").json() == before


def test_it_is_small(metrics):
    memory = total(metrics()["process_resident_memory_bytes"]) / 2**20
    print(f"\nresident: {memory:.0f} MiB")
    assert memory < MEMORY_MIB
