"""What `make bench-loop` makes of times: stages that add up to the whole, medians that fit their columns."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from sandbox.receipt import STAGES


@pytest.fixture
def bench(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    import push_to_served
    import pushed

    return SimpleNamespace(loop=push_to_served, pushed=pushed)


def moment(seconds):
    return {"end_date": datetime.fromtimestamp(seconds, UTC).isoformat()}


def test_the_stages_of_a_loop_add_up_to_its_seconds(bench):
    tasks = {name: moment(1010 + place) for place, name in enumerate(bench.pushed.TASKS)}
    airflow = SimpleNamespace(tasks=lambda *_: tasks, said=lambda *_: {"seconds": 0.4})
    stages = [{"name": "lint", "duration": 2000}, {"name": "test", "duration": 3000}]
    build = {"timestamp": 1001_000, "duration": 6500, "stages": stages}
    measured = bench.pushed._measured(SimpleNamespace(airflow=airflow), 1000.0, build, "push-x")
    assert measured.seconds == pytest.approx(18)
    assert sum(measured.stages.values()) == pytest.approx(measured.seconds)
    assert {name: measured.stages[name] for name in ("push", "checkout", "lint", "plan", "data")} == (
        pytest.approx({"push": 1, "checkout": 1.5, "lint": 2, "plan": 2.5, "data": 1})
    )
    assert (measured.work["test"], measured.work["verify"]) == (3, 0.4)


def test_medians_are_of_all_kinds_and_leave_out_what_one_way_lacks(bench):
    def one(seconds, **stages):
        return bench.pushed.Measured(seconds, stages, stages)

    found = {
        "first": {"loop": [one(9, plan=1, data=4)], "by_hand": [one(7, data=3)]},
        "second": {"loop": [one(5, plan=2, data=2)], "by_hand": [one(5, data=1)]},
    }
    assert bench.loop.stage_medians(found) == {
        "plan": {"loop": 1.5, "work": 1.5},
        "data": {"loop": 3, "work": 3, "by_hand": 2},
    }
    assert bench.loop.seconds_of(found, "loop") == [9, 5]
    assert bench.loop.spread([4.0, 1.0, 2.0]) == "2.0 (1.0 to 4.0)"


def test_by_hand_does_every_stage_of_the_loop(root):
    text = (root / "benchmarks" / "by_hand.py").read_text()
    assert set(re.findall(r'done\.stage\("(\w+)"\)', text)) == {"checkout", *STAGES[2:]}
