"""A REF is a commit, a tag, a model version or a run id; the newest loop is the one pushed last."""

from types import SimpleNamespace

import pytest

from sandbox import reference
from sandbox.errors import LoopError

CODE, DATA = "c" * 40, "d" * 40


def pushed_at(moment):
    return [{"context": "ci", "id": 1, "status": "success", "created_at": moment}]


class FakeStatuses:
    """Two pushed commits."""

    rows = {  # noqa: RUF012
        ("model_training", CODE): pushed_at("2026-05-01T10:00:00Z"),
        ("data_preprocessing", DATA): pushed_at("2026-05-01T10:00:30Z"),
    }

    def of(self, repository, ref):
        found = [key for key in self.rows if key[0] == repository and key[1].startswith(ref)]
        return (found[0][1], self.rows[found[0]]) if found else None


class FakeAirflow:
    """One push run, started after both pushes, and one scheduled run."""

    newest = None
    runs = {  # noqa: RUF012
        f"push-model_training-{CODE[:12]}": {
            "reason": "push",
            "repository": "model_training",
            "commit": CODE,
        },
        "schedule-2026-05-02": {"reason": "schedule"},
        "manual-2": {"name": "iris", "version": "3"},
    }

    def run(self, dag, run_id):
        if (dag == "promote_model") != (run_id == "manual-2"):
            return None
        return {"dag_run_id": run_id, "conf": self.runs[run_id]} if run_id in self.runs else None

    def newest_run(self, dag):
        return self.run(dag, self.newest) | {"run_after": "2026-05-01T10:01:00Z"} if self.newest else None


@pytest.fixture
def context(monkeypatch):
    heads = {"model_training": CODE, "data_preprocessing": DATA}
    monkeypatch.setattr(reference, "remote_head", lambda url, _branch, _folder: heads.get(url, ""))
    return SimpleNamespace(
        statuses=FakeStatuses(),
        airflow=FakeAirflow(),
        mlflow=SimpleNamespace(
            names=lambda: ["iris"],
            version=lambda _name, number: (
                {"tags": {"loop_run_id": "schedule-2026-05-02"}} if number == "3" else None
            ),
        ),
        endpoints=SimpleNamespace(clone_url=lambda name: name),
    )


@pytest.mark.parametrize("ref", [CODE, CODE[:8], f"push-model_training-{CODE[:12]}"])
def test_a_commit_and_its_run_id_name_the_same_loop(context, ref):
    loop = reference.find_loop(context, ref)
    assert (loop.repository, loop.commit) == ("model_training", CODE)
    assert loop.run_id == f"push-model_training-{CODE[:12]}"


@pytest.mark.parametrize("ref", ["3", "iris/3", "schedule-2026-05-02"])
def test_a_model_version_and_a_run_id_name_a_run(context, ref):
    assert reference.find_loop(context, ref).run_id == "schedule-2026-05-02"


def test_the_run_id_of_a_promotion_names_it(context):
    loop = reference.find_loop(context, "manual-2")
    assert (loop.dag, loop.run_id, loop.commit) == ("promote_model", "manual-2", "")


def test_the_newest_is_the_last_push_also_while_an_older_run_goes_on(context):
    context.airflow.newest = f"push-model_training-{CODE[:12]}"
    assert reference.find_loop(context, "").commit == DATA


def test_a_later_scheduled_run_is_the_newest(context):
    context.airflow.newest = "schedule-2026-05-02"
    assert reference.find_loop(context, "").run_id == "schedule-2026-05-02"


def test_a_ref_that_nobody_knows_is_an_expected_failure(context):
    with pytest.raises(LoopError):
        reference.find_loop(context, "nothing")


def test_a_commit_that_was_never_built_is_said_and_not_waited_for(context, monkeypatch):
    inner = "a" * 40
    monkeypatch.setitem(FakeStatuses.rows, ("model_training", inner), [])
    with pytest.raises(LoopError, match="not built"):
        reference.find_loop(context, inner)
