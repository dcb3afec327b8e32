"""What a run's end is called: closed sets, whatever is said."""

import pytest
from world import FAILED, PROMOTED, REJECTED, ROLLED_BACK, SERVED, recorded

from monitor import outcomes
from monitor.airflow import LOOP
from monitor.outcomes import Said

RUN = {"dag_id": LOOP, "dag_run_id": "push-x-1", "state": "success", "conf": {}}
PASSED = Said("register", "passed")


def tasks(**states):
    return {name: {"state": state} for name, state in states.items()}


def test_the_decisive_tasks():
    whole = dict.fromkeys(outcomes.TASKS[LOOP], "success")
    assert outcomes.decisive(LOOP, tasks(**whole)) == ("verify", "")
    assert outcomes.decisive(LOOP, tasks(**whole | {"gate": "failed", "register": "skipped"})) == (
        "train",
        "gate",
    )
    assert outcomes.decisive(LOOP, {}) == ("", "plan")


@pytest.mark.parametrize(
    ("run", "before", "first", "expected"),
    [
        (RUN, Said(), Said(), "served"),
        (RUN | {"state": "failed"}, Said(), Said("train", "failed"), "failed"),
        (RUN | {"state": "failed"}, Said(), Said(), "failed"),
        (RUN, Said("gate", "rejected"), Said("register"), "rejected"),
        (RUN, Said("promote", "waiting"), Said("serve"), "waiting"),
        (RUN, Said("promote", "rejected"), Said("serve"), "rejected"),
        (RUN, PASSED, Said("promote", "skipped"), "superseded"),
        (RUN | {"conf": {"promote": False}}, PASSED, Said("promote", "skipped"), "stopped"),
        (RUN, Said("data", "passed"), Said("train", "skipped"), "stopped"),
    ],
)
def test_the_outcome(run, before, first, expected):
    assert outcomes.outcome(run, before, first) == expected


@pytest.mark.parametrize(
    ("dag", "run_id", "conf", "expected"),
    [
        (LOOP, "push-model_training-1", {"reason": "push"}, "push"),
        (LOOP, "schedule-2026-01-01", {}, "schedule"),
        (LOOP, "manual-3", {"reason": "data"}, "data"),
        (LOOP, "whatever", {"reason": "<b>"}, "manual"),
        (LOOP, "whatever", {"reason": ["push"]}, "manual"),
        (LOOP, "whatever", None, "manual"),
        ("promote_model", "manual-1", {"reason": "rollback"}, "rollback"),
        ("promote_model", "manual-1", {"reason": "because"}, "promote"),
    ],
)
def test_the_reason(dag, run_id, conf, expected):
    assert outcomes.reason({"dag_id": dag, "dag_run_id": run_id, "conf": conf}) == expected


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("accuracy 0.500 is below 0.700", ["least_metrics"]),
        ("class setosa has collapsed: recall 0.100 is below 0.300", ["least_recall"]),
        (
            "accuracy 0.500 is below 0.700; class a has collapsed: recall 0.000 is below 0.300; "
            "accuracy 0.500 is worse than 0.900 of champion 3; "
            "class a: recall fell to 0.000, champion 3 has 1.000",
            ["least_metrics", "worse_accuracy", "most_recall_lost", "least_recall"],
        ),
        ("trained with numpy 1.0, the API serves 2.0", ["library"]),
        ("the API does not load the type a.B", ["type"]),
        ("something new", ["other"]),
    ],
)
def test_the_rules_of_a_rejection(detail, expected):
    assert outcomes.rules(detail) == expected


def test_stages_of_a_real_run():
    answers = recorded("airflow")
    run = answers["runs"][SERVED]
    rows = {row["task_id"]: row for row in answers["tasks"][f"{LOOP}/{run['dag_run_id']}"]}
    found = outcomes.stage_seconds(LOOP, rows)
    assert list(found) == [name for name in outcomes.STAGES if name != "ci"]
    assert found["data"] > found["gate"] > 0  # with `plan`
    assert [answers["runs"][n]["dag_id"] for n in (FAILED, REJECTED, PROMOTED, ROLLED_BACK)] == [
        *[LOOP] * 2,
        *["promote_model"] * 2,
    ]
