"""Runs that a person starts: their numbers, and the conf of `sandbox run`."""

from types import SimpleNamespace

import pytest

from sandbox import by_hand, data_versions, run_by_hand
from sandbox.errors import LoopError

CODE, OLD, RED = "c" * 40, "0" * 40, "e" * 40
NEW_DATA, OLD_DATA = "d" * 12, "123456789012"
GREEN = [{"context": "ci", "status": "success"}, {"context": "image", "status": "success"}]


class FakeAirflow:
    """Runs by DAG, the newest first; `taken` are ids that somebody takes meanwhile."""

    def __init__(self, taken=(), **runs):
        self.ids = {"train_and_serve": [], "promote_model": []} | runs
        self.taken, self.started = taken, []

    def runs(self, dag, run_id_prefix_pattern, order_by):
        assert order_by == "-run_after"
        return [{"dag_run_id": i} for i in self.ids[dag] if i.startswith(run_id_prefix_pattern)]

    def start(self, dag, run_id, conf):
        if run_id in self.taken:
            return False
        self.started.append((dag, run_id, conf))
        return True


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({}, "manual-1"),
        ({"train_and_serve": ["manual-9", "manual-10"]}, "manual-11"),
        ({"train_and_serve": ["manual-2"], "promote_model": ["manual-3"]}, "manual-4"),
        ({"train_and_serve": ["manual-20260501T100000", "manual-2"]}, "manual-3"),
        ({"train_and_serve": ["push-model_training-cccccccccccc", "schedule-2026-05-01"]}, "manual-1"),
    ],
)
def test_numbers_go_on_over_both_dags(ids, expected):
    assert by_hand.next_run_id(SimpleNamespace(airflow=FakeAirflow(**ids))) == expected


def test_a_number_that_is_taken_meanwhile_is_passed_over():
    airflow = FakeAirflow(taken=("manual-1", "manual-2"))
    assert by_hand.start(SimpleNamespace(airflow=airflow), "promote_model", {"name": "iris"}) == "manual-3"
    assert airflow.started == [("promote_model", "manual-3", {"name": "iris"})]


class FakeStatuses:
    """Three commits of model_training; RED has no image."""

    rows = {CODE: GREEN, OLD: GREEN, RED: GREEN[:1]}  # noqa: RUF012
    tags = {f"CV_{OLD[:12]}_DV_{OLD_DATA}": OLD}  # noqa: RUF012

    def of(self, repository, ref):
        assert repository == "model_training"
        found = [commit for commit in self.rows if commit.startswith(self.tags.get(ref, ref))]
        return (found[0], self.rows[found[0]]) if found else None


@pytest.fixture
def context(monkeypatch):
    listed = "\n".join(
        f"{'a' * 40}\trefs/tags/DV_{name}{peeled}" for name in (NEW_DATA, OLD_DATA) for peeled in ("", "^{}")
    )
    monkeypatch.setattr(data_versions, "git", lambda *_, folder: listed)  # noqa: ARG005
    versions = {"1": {"version": "1", "name": "iris", "tags": {"code_commit": OLD}}}
    return SimpleNamespace(
        statuses=FakeStatuses(),
        airflow=FakeAirflow(),
        endpoints=SimpleNamespace(clone_url=lambda name: name),
        prediction_api=SimpleNamespace(model=lambda: {"name": "iris", "version": "1"}),
        mlflow=SimpleNamespace(
            names=lambda: ["iris"],
            version=lambda _name, number: versions.get(number),
            versions=lambda _name: list(versions.values()),
        ),
    )


def conf(context, code="", data="", reason="manual", promote=True):
    return run_by_hand.conf_of_run(context, code, data, reason, promote)


def test_without_options_the_dag_chooses(context):
    assert conf(context) == {"reason": "manual"}
    assert conf(context, reason="drift", promote=False) == {"reason": "drift", "promote": False}


@pytest.mark.parametrize("ref", [OLD, OLD[:7], "1", "iris/1", f"CV_{OLD[:12]}_DV_{OLD_DATA}"])
def test_a_commit_its_tag_and_a_model_version_mean_a_commit(context, ref):
    assert conf(context, ref)["code_commit"] == OLD


@pytest.mark.parametrize("ref", [OLD_DATA, f"DV_{OLD_DATA}"])
def test_a_data_version_and_its_tag_are_the_same(context, ref):
    assert conf(context, data=ref)["data_version"] == OLD_DATA


@pytest.mark.parametrize("ref", ["f" * 40, "main", "..", "cccccc"])
def test_a_commit_that_is_not_there_is_refused(context, ref):
    with pytest.raises(LoopError, match="has no commit") as caught:
        conf(context, ref)
    assert "model version" in caught.value.hint


def test_a_commit_without_an_image_is_refused_with_its_build(context):
    with pytest.raises(LoopError, match="no image") as caught:
        conf(context, RED)
    assert RED[:12] in caught.value.hint


def test_an_unknown_model_version_lists_the_known_ones(context):
    with pytest.raises(LoopError, match="iris has no version 7") as caught:
        conf(context, "7")
    assert f"1 (code {OLD[:12]})" in caught.value.hint


@pytest.mark.parametrize("ref", ["abcdefabcdef", "DV_1", "latest"])
def test_an_unknown_data_version_lists_the_known_ones(context, ref):
    with pytest.raises(LoopError, match="no data version") as caught:
        conf(context, data=ref)
    assert caught.value.hint == f"Data versions: {NEW_DATA}, {OLD_DATA}"


def test_a_plan_is_shown_and_nothing_starts(context, capsys):
    plan = run_by_hand.planned(context, conf(context, OLD))
    assert plan == {
        "dag": "train_and_serve",
        "run_id": "manual-1",
        "conf": {"reason": "manual", "code_commit": OLD},
    }
    run_by_hand.show_planned(plan)
    assert OLD in capsys.readouterr().out
    assert context.airflow.started == []
