"""The receipt puts commit statuses and Airflow's tasks together as one list of stages."""

from types import SimpleNamespace

import pytest

from sandbox.receipt import STAGES, Loop, Receipt, Stage, overall_state, read_receipt
from sandbox.trace import show_receipt

PUSHED = "2026-05-01T10:00:00Z"
ENDED = "2026-05-01T10:00:21Z"


class FakeAirflow:
    """Answers like clients.airflow.Airflow from one table of tasks."""

    def __init__(self, state=None, tasks=None, outcomes=None):
        self._state, self._tasks, self._outcomes = state, tasks or {}, outcomes or {}

    def run(self, _dag, run_id):
        return {"dag_run_id": run_id, "state": self._state} if self._state else None

    def tasks(self, _dag, _run_id):
        return {name: {"task_id": name, **fields} for name, fields in self._tasks.items()}

    def said(self, _dag, _run_id, task, _key):
        return self._outcomes.get(task)


def receipt(airflow, *ci):
    rows = tuple(
        {
            "context": "ci",
            "status": s,
            "description": s,
            "created_at": PUSHED,
            "updated_at": ENDED,
            "target_url": "b/1",
        }
        for s in ci
    )
    loop = Loop("abc", "push-model_training-abc", "model_training", "abc" * 10, rows)
    return read_receipt(context_of(airflow), loop)


def context_of(airflow):
    outside = SimpleNamespace(airflow=SimpleNamespace(outside="http://airflow"))
    return SimpleNamespace(airflow=airflow, endpoints=outside)


def task(state, start="2026-05-01T10:00:30Z", end="2026-05-01T10:00:34Z"):
    return {"state": state, "start_date": start, "end_date": end}


def states(read):
    return {stage.name: stage.state for stage in read.stages}


def test_stages_come_in_the_order_of_the_loop():
    assert [stage.name for stage in receipt(FakeAirflow(), "pending").stages] == list(STAGES)


def test_before_ci_has_seen_the_push_nothing_is_claimed():
    read = receipt(FakeAirflow())
    assert states(read)["ci"] == "pending"
    assert not read.final


def test_a_red_ci_ends_the_loop_and_names_the_reason():
    read = receipt(FakeAirflow(), "pending", "failure")
    assert read.state == "failed"
    assert read.final
    assert states(read)["train"] == "skipped"


def test_an_inner_commit_of_a_push_is_skipped_and_names_what_it_is_part_of():
    loop = Loop("abc", "push-model_training-abc", "model_training", "abc" * 10, part_of="f" * 40)
    read = read_receipt(SimpleNamespace(airflow=FakeAirflow()), loop)
    assert [stage.name for stage in read.stages] == list(STAGES)
    assert set(states(read).values()) == {read.state} == {"skipped"}
    assert read.stages[1].detail == "part of ffffffffffff"
    assert read.final


def test_a_push_that_starts_no_run_is_passed():
    assert receipt(FakeAirflow(), "pending", "success").state == "passed"


def test_a_passed_run_counts_from_push_to_the_end_of_verify():
    tasks = {name: task("success") for name in ("plan", *STAGES[2:])}
    read = receipt(FakeAirflow("success", tasks), "pending", "success")
    assert read.state == "passed"
    assert read.seconds == 34.0
    assert set(states(read).values()) == {"passed"}


def test_a_rejection_is_a_passed_task_that_says_rejected():
    tasks = {
        "plan": task("success"),
        "data": task("success"),
        "train": task("success"),
        "gate": task("success"),
    }
    tasks |= {name: task("skipped") for name in STAGES[5:]}
    outcomes = {"gate": {"state": "rejected", "detail": "accuracy 0.60 is below 0.70", "url": ""}}
    read = receipt(FakeAirflow("success", tasks, outcomes), "success")
    assert read.state == "rejected"
    assert read.stages[4].detail == "accuracy 0.60 is below 0.70"


def test_a_failed_plan_is_shown_as_the_failed_data_stage():
    outcomes = {"plan": {"state": "failed", "detail": "no image", "url": ""}}
    tasks = {"plan": task("failed"), "data": task("upstream_failed")}
    read = receipt(FakeAirflow("failed", tasks, outcomes), "success")
    assert (read.stages[2].state, read.stages[2].detail) == ("failed", "no image")
    assert read.state == "failed"


def test_a_run_that_airflow_ended_by_a_time_limit_has_failed():
    tasks = {"plan": task("success"), "data": task("success"), "train": task("skipped")}
    tasks |= {name: task("skipped") for name in STAGES[4:]}
    read = receipt(FakeAirflow("failed", tasks), "success")
    assert read.state == "failed"
    assert states(read)["train"] == "failed"
    assert "time limit" in read.stages[3].detail


def test_a_task_that_said_failed_is_not_hidden_by_a_skip():
    tasks = {"plan": task("success"), "data": task("success"), "train": task("skipped")}
    outcomes = {"train": {"state": "failed", "detail": "took too long", "url": ""}}
    read = receipt(FakeAirflow("failed", tasks, outcomes), "success")
    assert (read.stages[3].state, read.stages[3].detail) == ("failed", "took too long")


def test_a_task_cleared_between_two_looks_is_pending_not_skipped():
    """Airflow answers a clear before it commits it, so a run may still be called done for a moment."""
    tasks = {name: task("success") for name in ("plan", *STAGES[2:7])}
    airflow = FakeAirflow("success", tasks | {name: task(None) for name in STAGES[7:]})
    seen = ["success", "queued"]
    airflow.run = lambda _dag, run_id: {"dag_run_id": run_id, "state": seen.pop(0)}
    read = receipt(airflow, "pending", "success")
    assert [states(read)[name] for name in STAGES[7:]] == ["pending"] * 3
    assert not read.final


def test_a_plan_that_waits_shows_as_data_and_says_for_what():
    outcomes = {"plan": {"state": "running", "detail": "waits for the build of model_training abc"}}
    tasks = {"plan": task("running", end=None), "data": task(None)}
    read = receipt(FakeAirflow("running", tasks, outcomes), "success")
    assert (read.stages[2].state, read.stages[2].detail) == ("running", outcomes["plan"]["detail"])


class WaitingAirflow(FakeAirflow):
    """A loop that waits for a promotion of iris 4, and the promotion by hand."""

    promotions = ()

    def tasks(self, dag, run_id):
        names = ("promote", "serve", "verify")
        if dag == "promote_model":
            assert run_id == "manual-1"
            return {name: {"task_id": name, **task("success")} for name in names}
        done = {name: {"task_id": name, **task("success")} for name in ("plan", *STAGES[2:8])}
        return done | {name: {"task_id": name, **task("skipped")} for name in names[1:]}

    def said(self, dag, _run_id, name, key):
        if (name, key) == ("register", "return_value"):
            return {"name": "iris", "version": "4"}
        waits = dag == "train_and_serve" and name == "promote"
        return {"state": "waiting" if waits else "passed", "detail": f"{dag} {name}", "url": ""}

    def run(self, dag, run_id):
        return super().run(dag, run_id) | {"run_after": PUSHED}

    def runs(self, _dag, **_):
        return list(self.promotions)


def test_a_loop_that_waits_for_a_promotion_is_final():
    read = receipt(WaitingAirflow("success"), "success")
    assert read.state == "waiting"
    assert read.final
    assert states(read)["serve"] == "skipped"


def test_the_promotion_by_hand_completes_the_receipt_of_the_loop_that_waited():
    airflow = WaitingAirflow("success")
    conf = {"name": "iris", "version": "4"}
    airflow.promotions = [{"dag_run_id": "manual-1", "state": "success", "conf": conf}]
    read = receipt(airflow, "success")
    assert read.state == "passed"
    assert [stage.name for stage in read.stages] == list(STAGES)
    assert [stage.detail for stage in read.stages[-3:]] == [
        f"promote_model {name}" for name in ("promote", "serve", "verify")
    ]
    assert "/dags/promote_model/runs/manual-1/" in read.stages[-1].url


def test_a_promotion_has_a_receipt_of_its_own_three_stages():
    context = SimpleNamespace(
        airflow=WaitingAirflow("success"), endpoints=SimpleNamespace(airflow=SimpleNamespace(outside="u"))
    )
    read = read_receipt(context, Loop("manual-1", "manual-1", dag="promote_model"))
    assert states(read) == {"promote": "passed", "serve": "passed", "verify": "passed"}
    assert read.state == "passed"


@pytest.mark.parametrize("state", ["running", "up_for_retry"])
def test_while_a_task_runs_the_loop_runs(state):
    tasks = {"plan": task("success"), "data": task("success"), "train": task(state, end=None)}
    read = receipt(FakeAirflow("running", tasks), "success")
    assert read.state == "running"
    assert states(read)["train"] == "running"
    assert not read.final


def test_one_word_for_the_loop_prefers_what_went_wrong():
    assert overall_state([Stage("a", "passed"), Stage("b", "failed"), Stage("c", "skipped")]) == "failed"
    assert overall_state([Stage("a", "passed"), Stage("b", "failed"), Stage("c", "pending")]) == "running"
    assert overall_state([Stage("a", "passed"), Stage("b", "waiting"), Stage("c", "skipped")]) == "waiting"
    assert overall_state([Stage("a", "passed"), Stage("b", "pending")]) == "running"


def test_a_receipt_that_waits_says_the_command_that_serves(capsys):
    stages = [Stage("register", "passed", detail="iris version 3"), Stage("promote", "waiting")]
    show_receipt(Receipt("manual-1", "manual-1", "", "waiting", 21.0, stages))
    assert capsys.readouterr().out.endswith("make promote VERSION=iris/3\n")


def row(status, moment, number):
    return {
        "context": "ci",
        "status": status,
        "description": f"build {number} {status}",
        "created_at": moment,
        "updated_at": moment,
        "target_url": f"b/{number}",
    }


FIRST_BUILD = (row("pending", PUSHED, 1), row("pending", PUSHED, 1), row("success", ENDED, 1))
LATER, LATEST = "2026-05-01T10:13:00Z", "2026-05-01T10:14:00Z"


@pytest.mark.parametrize(
    ("second", "state"),
    [
        ((row("pending", LATER, 2),), "pending"),
        ((row("pending", LATER, 2), row("failure", LATEST, 2)), "failed"),
    ],
)
def test_a_commit_built_again_shows_the_build_that_started_its_run_and_says_of_the_other(second, state):
    loop = Loop("abc", "push-1", "model_training", "a" * 40, (*FIRST_BUILD, *second))
    airflow = FakeAirflow("success", {"train": task("success")})
    airflow.run = lambda *_: {"dag_run_id": "push-1", "state": "success", "run_after": ENDED}
    push, ci = read_receipt(context_of(airflow), loop).stages[:2]
    again = f"built again since ({state}), which starts no second run: make run CODE=aaaaaaaaaaaa"
    assert push.detail == f"model_training aaaaaaaaaaaa; {again}"
    assert (ci.state, ci.url, ci.seconds) == ("passed", "b/1", 21.0)


def test_a_commit_built_again_without_a_run_shows_the_newest_build():
    loop = Loop("abc", "push-1", "model_training", "a" * 40, (*FIRST_BUILD, row("failure", LATEST, 2)))
    push, ci = read_receipt(context_of(FakeAirflow()), loop).stages[:2]
    assert "again" not in push.detail
    assert (ci.state, ci.url) == ("failed", "b/2")


def test_a_run_by_hand_names_its_reason_code_and_data():
    plan = {"reason": "data-push", "code_commit": "c" * 40, "data_version": ""}
    airflow = FakeAirflow("running", {"plan": task("success")}, {"plan": plan})
    read = read_receipt(context_of(airflow), Loop("manual-1", "manual-1"))
    assert (read.git_sha, read.stages[0].detail) == ("c" * 40, "started by data-push: code cccccccccccc")
