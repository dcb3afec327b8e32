"""Ends of runs: counted once, told once, over restarts and whatever is away."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from world import FAILED, REJECTED, SERVED

from monitor import airflow, runs

LOOP, PROMOTION = "train_and_serve", "promote_model"


def total(monitor, *labels):
    return monitor.value("loop_runs_total", *labels)


def now(seconds=0.0):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_history_is_counted_and_told_nobody(monitor):
    monitor.look()
    assert total(monitor, LOOP, "failed", "push") == 1
    assert total(monitor, LOOP, "served", "push") == 1
    assert total(monitor, LOOP, "rejected", "push") == 1
    assert total(monitor, PROMOTION, "served", "promote") == 1
    assert total(monitor, PROMOTION, "served", "rollback") == 1
    assert sum(monitor.metrics()["loop_runs_total"].values()) == 5
    assert monitor.metrics()["loop_rejections_total"] == {
        (rule,): float(rule == "worse_accuracy") for rule in (*runs.outcomes.RULES, runs.outcomes.OTHER)
    }
    assert monitor.messages() == []


def test_durations_of_the_recorded_runs(monitor, world):
    monitor.look()
    assert monitor.value("loop_push_to_served_seconds_count") == 1
    assert monitor.value("loop_push_to_served_seconds_sum") == pytest.approx(176.9, abs=0.1)
    assert monitor.value("loop_push_to_served_seconds_bucket", "180.0") == 1
    assert monitor.value("loop_push_to_served_seconds_bucket", "120.0") == 0
    assert monitor.value("loop_stage_seconds_count", "verify") == 3  # one loop, two promotions
    assert monitor.value("loop_stage_seconds_count", "ci") == 3
    assert monitor.value("loop_stage_last_seconds", "ci") == pytest.approx(73, abs=1)
    assert monitor.value("loop_restore_seconds_count") == 1
    failed, served = (datetime.fromisoformat(world.runs[n]["end_date"]) for n in (FAILED, SERVED))
    assert monitor.value("loop_restore_seconds_sum") == pytest.approx((served - failed).total_seconds())
    last = monitor.metrics()["loop_last_run_timestamp_seconds"]
    assert last[(LOOP, "served")] == pytest.approx(served.timestamp())


def test_each_end_is_told_once_over_a_restart(monitor):
    monitor.since_the_beginning()
    monitor.look()
    names = ["LoopRejected", "LoopServed", "LoopServed", "LoopCelebrates", "LoopFailed"]
    assert [message["name"] for message in monitor.messages()] == names
    monitor.look()
    before = monitor.metrics()
    monitor = monitor.again()
    counters = [name for name in before if name.startswith("loop_") and name != "loop_look_timestamp_seconds"]
    steady = [name for name in counters if not name.endswith("unbuilt_seconds")]
    assert len(steady) > 15
    after = monitor.metrics()
    assert {name: after[name] for name in steady} == {name: before[name] for name in steady}
    monitor.look()
    assert len(monitor.messages()) == 5
    assert sum(monitor.metrics()["loop_runs_total"].values()) == 5


def test_a_rejection_says_why(monitor):
    monitor.since_the_beginning()
    monitor.look()
    message = monitor.client.get("/messages?name=LoopRejected").json["messages"][0]
    assert "rejected at gate: accuracy 0.967 is worse than 1.000 of champion 2" in message["summary"]
    assert message["command"] == f"make trace REF={message['labels']['run_id']}"
    assert (message["severity"], message["labels"]["stage"]) == ("info", "gate")


def test_a_crash_in_the_middle_of_keeping_counts_nothing(monitor, monkeypatch):
    monitor.since_the_beginning()

    def broken(*_, **__):
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(monitor.store, "add_event", broken)
        monitor.look()
        assert sum(monitor.metrics()["loop_runs_total"].values()) == 0
        assert monitor.value("loop_stage_seconds_count", "data") == 0
    monitor.look()
    assert sum(monitor.metrics()["loop_runs_total"].values()) == 5
    assert len(monitor.messages()) == 5


def test_a_run_that_is_cleared_ends_once_more(monitor, world):
    monitor.look()
    run = world.runs[SERVED]
    run["end_date"] = now()
    monitor.look()
    assert total(monitor, LOOP, "served", "push") == 2
    assert [message["name"] for message in monitor.messages()] == ["LoopCelebrates"]
    assert monitor.value("loop_push_to_served_seconds_count") == 1


def test_a_late_end_of_the_other_dag_is_seen(monitor, world):
    late = next(run for run in world.runs if run["dag_id"] == PROMOTION)
    newest = max(datetime.fromisoformat(run["end_date"]) for run in world.runs)
    late["end_date"] = None
    late["state"] = "running"
    monitor.look()
    assert total(monitor, PROMOTION, "served", "promote") == 0
    late |= {"state": "success", "end_date": (newest - timedelta(seconds=5)).isoformat()}
    monitor.look()
    assert total(monitor, PROMOTION, "served", "promote") == 1


def test_the_age_of_the_oldest_run(monitor, world):
    monitor.look()
    assert monitor.metrics()["loop_run_age_seconds"] == {(LOOP,): 0.0, (PROMOTION,): 0.0}
    world.runs[REJECTED] |= {"state": "running", "end_date": None}
    world.runs[REJECTED] |= {"queued_at": now(-5000), "start_date": now(-100)}  # its limit begins with it
    monitor.look()
    assert 100 <= monitor.value("loop_run_age_seconds", LOOP) < 200


def test_an_end_waits_a_while_for_the_statuses_of_its_commit(monitor, world, monkeypatch):
    for run in world.runs:
        run["end_date"] = now(-10)
    world.away = {"statuses"}
    monitor.look()
    assert sum(monitor.metrics()["loop_runs_total"].values()) == 0
    monkeypatch.setattr(time, "time", lambda real=time.time: real() + runs.PATIENCE)
    monitor.look()
    assert sum(monitor.metrics()["loop_runs_total"].values()) == 5
    assert monitor.value("loop_push_to_served_seconds_count") == 0


def test_a_long_history_is_read_in_several_looks(monitor, world, monkeypatch):
    monkeypatch.setattr(runs, "AT_ONCE", 5)
    monkeypatch.setattr(airflow, "PAGE", 4)
    first = world.runs[FAILED]
    world.runs = [
        first | {"dag_run_id": f"manual-{n}", "conf": {}, "end_date": now(n - 1000)} for n in range(12)
    ]
    counts = []
    for _ in range(4):
        monitor.look()
        counts.append(total(monitor, LOOP, "failed", "manual"))
    assert counts == [5, 10, 12, 12]


def test_a_login_that_is_no_longer_taken_is_made_anew(monitor, world):
    monitor.look()
    world.token = "jwt-2"
    monitor.look()
    assert monitor.value("loop_service_up", "airflow") == 0
    monitor.look()
    assert monitor.value("loop_service_up", "airflow") == 1


def test_other_dags_and_words_make_no_labels(monitor, world):
    world.runs.append(world.runs[FAILED] | {"dag_id": "schedule"})
    world.runs[FAILED]["conf"] = {"reason": 'x"}\n evil{a="'}
    world.runs[FAILED]["dag_run_id"] = "evil-1"
    monitor.look()
    assert total(monitor, LOOP, "failed", "manual") == 1
    assert "evil" not in monitor.client.get("/metrics").get_data(as_text=True)
