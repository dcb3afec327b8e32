"""register, tag and promote, and what a promotion leaves behind when it is undone."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loop import rollback
from loop.errors import Failure, Unreachable
from loop.mlflow import MLflow
from loop.promote import promote, promote_by_hand
from loop.register import register
from loop.run import Run
from loop.tag import tag
from tests.neighbours import Repository

DATA = {"data_version": "0123456789ab"}


@pytest.fixture
def code(repository: Callable[[str], Any]) -> list[str]:
    bare = repository("model_training")
    return [bare.commit(word) for word in ("one", "two")]


def planned(commit: str, **changes: Any) -> dict[str, Any]:
    plan = {
        "code_commit": commit,
        "data_commit": "d" * 40,
        "dag_commit": "e" * 40,
        "code_image": "i",
        "build": "b",
    }
    return plan | {"promote": "auto", "insists": False} | changes


def trained(run_id: str = "r1", champion: str | None = None) -> dict[str, Any]:
    figures = {"metrics": {"accuracy": 0.9}, "per_class": {"a": {"recall": 0.9}}, "types": []}
    libraries = {"scikit-learn": "1.9.1", "skops": "0.16.0", "numpy": "2.4.0"}
    named = {"mlflow_run_id": run_id, "model_id": "m-1", "model_name": "iris", "libraries": libraries}
    return figures | named | {"champion": champion and {"version": champion, "same_schema": True, **figures}}


def champion_of(registry: Any) -> str | None:
    return registry.models["iris"]["aliases"].get("champion")


def test_a_version_carries_its_sources_and_is_made_once(run: Run, registry: Any) -> None:
    first = register(run, planned("c" * 40), DATA, trained())
    again = register(run, planned("c" * 40), DATA, trained())
    assert first.values == again.values == {"name": "iris", "version": "1", "code_commit": "c" * 40}
    model = registry.models["iris"]
    assert model["aliases"] == {"candidate": "1"}
    wanted = {"code_commit", "data_commit", "dag_commit", "data_version", "image", "loop_run_id", "build"}
    assert set(model["versions"]["1"]["tags"]) == wanted


def test_the_tag_is_annotated_pushed_once_and_never_moved(run: Run, code: list[str], tmp_path: Any) -> None:
    arguments = (planned(code[0]), DATA, trained(), {"name": "iris", "version": "7"})
    name = f"CV_{code[0][:12]}_DV_0123456789ab"
    assert tag(run, *arguments).detail == name
    assert tag(run, *arguments).detail == f"{name} was there already"
    bare = Repository(tmp_path / "model_training.git")
    said = bare.git("cat-file", "-p", f"refs/tags/{name}")
    assert "tagger MLOps sandbox <loop@sandbox.invalid>" in said
    assert "iris version 7" in said
    assert "accuracy: 0.9" in said
    bare.git("tag", "-f", "-a", "-m", "moved", name, code[1])
    with pytest.raises(Failure, match="tags are never moved"):
        tag(run, *arguments)


@pytest.mark.usefixtures("code")
def test_the_first_model_becomes_champion(run: Run, registry: Any) -> None:
    registry.add("iris", "r1", code_commit="c" * 40)
    outcome = promote(run, planned("c" * 40), DATA, trained(), {"name": "iris", "version": "1"})
    assert (outcome.state, outcome.values["previous"], champion_of(registry)) == ("passed", None, "1")
    assert registry.models["iris"]["tags"]["promoted_at"].endswith("+00:00")


@pytest.mark.usefixtures("code")
def test_where_the_api_is_pinned_the_model_waits(run: Run, registry: Any, api: Any) -> None:
    registry.add("iris", "r1", code_commit="c" * 40)
    api.workers, api.pin = [("iris", "0")], "7"
    outcome = promote(run, planned("c" * 40), DATA, trained(), {"name": "iris", "version": "1"})
    assert (outcome.state, champion_of(registry)) == ("waiting", None)
    assert "MODEL_PIN=7" in outcome.detail


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize(("challenger", "left"), [("1", None), ("2", "2")])
def test_a_challenger_that_is_promoted_challenges_no_more(
    run: Run, registry: Any, challenger: str, left: str | None
) -> None:
    for name in ("r1", "r2"):
        registry.add("iris", name, code_commit="c" * 40)
    registry.models["iris"]["aliases"]["challenger"] = challenger
    promote(run, planned("c" * 40), DATA, trained(), {"name": "iris", "version": "1"})
    assert champion_of(registry) == "1"
    assert registry.models["iris"]["aliases"].get("challenger") == left


@pytest.mark.parametrize(("mode", "state"), [("no", "skipped"), ("manual", "waiting")])
def test_promotion_that_is_not_wanted_changes_nothing(run: Run, registry: Any, mode: str, state: str) -> None:
    registry.add("iris", "r1")
    outcome = promote(run, planned("c" * 40, promote=mode), DATA, trained(), {"name": "iris", "version": "1"})
    assert (outcome.state, champion_of(registry)) == (state, None)


@pytest.fixture
def older(registry: Any, code: list[str]) -> list[str]:
    """The champion, version 1, is of the second commit; version 2 is a candidate of the first."""
    registry.add("iris", "r0", code_commit=code[1], data_version=DATA["data_version"])
    registry.models["iris"]["aliases"]["champion"] = "1"
    registry.add("iris", "r1", code_commit=code[0], data_version=DATA["data_version"])
    return code


def test_an_ancestor_of_the_champion_is_superseded(run: Run, registry: Any, older: list[str]) -> None:
    outcome = promote(run, planned(older[0]), DATA, trained(champion="1"), {"name": "iris", "version": "2"})
    assert outcome.state == "skipped"
    assert outcome.detail.startswith("superseded by version 1")
    assert champion_of(registry) == "1"


@pytest.mark.parametrize(
    "change", [{"insists": True}, {"code_commit": "same"}], ids=["insisted", "same commit"]
)
def test_an_insisted_or_equal_commit_is_not_superseded(
    run: Run, registry: Any, older: list[str], change: dict[str, Any]
) -> None:
    plan = planned(older[0]) | ({"code_commit": older[1]} if "code_commit" in change else change)
    outcome = promote(run, plan, DATA, trained(champion="1"), {"name": "iris", "version": "2"})
    assert (outcome.state, outcome.values["previous"], champion_of(registry)) == ("passed", "1", "2")


def evidence(registry: Any, accuracy: float) -> None:
    registry.artifacts["1/r0/artifacts/gate.json"] = trained() | {"metrics": {"accuracy": accuracy}}


@pytest.mark.parametrize(("accuracy", "state"), [(0.9, "passed"), (0.95, "rejected")])
def test_a_champion_that_came_after_the_gate_is_compared_with(
    run: Run, registry: Any, older: list[str], api: Any, accuracy: float, state: str
) -> None:
    api.workers = [("iris", "1")]
    evidence(registry, accuracy)
    outcome = promote(run, planned(older[1]), DATA, trained(champion=None), {"name": "iris", "version": "2"})
    assert outcome.state == state
    assert "the champion changed after the gate, from none to 1" in outcome.detail
    assert champion_of(registry) == ("2" if state == "passed" else "1")


@pytest.mark.parametrize(("accuracy", "state"), [(0.9, "waiting"), (0.6, "rejected")])
def test_a_candidate_that_cannot_be_compared_with_a_new_champion_waits_above_the_thresholds(
    run: Run, registry: Any, older: list[str], api: Any, accuracy: float, state: str
) -> None:
    api.workers = [("iris", "1")]
    evidence(registry, 0.9)
    train = trained(champion=None) | {"metrics": {"accuracy": accuracy}}
    other = {"data_version": "ffffffffffff"}
    outcome = promote(run, planned(older[1]), other, train, {"name": "iris", "version": "2"})
    assert (outcome.state, champion_of(registry)) == (state, "1")
    assert outcome.detail.startswith("the champion changed after the gate, from none to 1")
    assert outcome.url.endswith("/models/iris/versions/2")


def test_a_new_champion_without_a_gate_of_its_own_makes_the_candidate_wait(
    run: Run, registry: Any, older: list[str], api: Any
) -> None:
    api.workers = [("iris", "1")]
    outcome = promote(run, planned(older[1]), DATA, trained(champion=None), {"name": "iris", "version": "2"})
    assert (outcome.state, champion_of(registry)) == ("waiting", "1")
    assert "from none to 1 whose run has no gate.json: compare" in outcome.detail


def by_hand(run: Run, number: str, run_id: str = "promote-1") -> Any:
    return promote_by_hand(
        replace(run, dag_id="promote_model", run_id=run_id, conf={"name": "iris", "version": number})
    )


def test_promotion_by_hand_goes_forwards_and_back(run: Run, older: list[str]) -> None:
    assert by_hand(run, "2").values["code_commit"] == older[0]
    assert by_hand(run, "1", "promote-2").values["previous"] == "2"
    with pytest.raises(Failure, match="iris has no version 9"):
        by_hand(run, "9")
    with pytest.raises(Failure, match="promote_model needs conf"):
        promote_by_hand(run)


@pytest.mark.usefixtures("older")
def test_a_second_try_of_promote_still_remembers_the_first_champion(run: Run, registry: Any) -> None:
    by_hand(run, "2")
    assert by_hand(run, "2").values["previous"] == "1"
    assert json.loads(registry.models["iris"]["versions"]["2"]["tags"]["promoted_over"])["version"] == "1"


@pytest.mark.usefixtures("older")
def test_a_failed_run_gives_the_alias_and_its_time_back(run: Run, registry: Any) -> None:
    registry.models["iris"]["tags"]["promoted_at"] = "before"
    by_hand(run, "2")
    mlflow = MLflow(run.settings)
    assert rollback.recover(mlflow, "promote_model/promote-1") == "the champion is 1 again"
    assert (champion_of(registry), registry.models["iris"]["tags"]["promoted_at"]) == ("1", "before")
    assert rollback.recover(mlflow, "promote_model/promote-1") == "the champion is 1"
    assert rollback.recover(mlflow, "promote_model/never-promoted") == ""


def test_a_failed_first_model_leaves_no_champion(run: Run, registry: Any) -> None:
    registry.add("iris", "r1")
    by_hand(run, "1")
    assert "no champion again" in rollback.recover(MLflow(run.settings), "promote_model/promote-1")
    assert (champion_of(registry), registry.models["iris"]["tags"]) == (None, {})


@pytest.mark.usefixtures("older")
def test_a_later_decision_of_somebody_else_is_not_undone(run: Run, registry: Any) -> None:
    by_hand(run, "2")
    registry.add("iris", "r3")
    by_hand(run, "3", "promote-2")
    rollback.recover(MLflow(run.settings), "promote_model/promote-1")
    assert champion_of(registry) == "3"


@pytest.mark.usefixtures("older")
@pytest.mark.parametrize("error", [Failure("no"), Unreachable("away"), KeyboardInterrupt()])
def test_every_end_but_success_restores_the_champion(run: Run, registry: Any, error: BaseException) -> None:
    by_hand(run, "2")
    mlflow = MLflow(run.settings)
    with (
        pytest.raises(Failure, match="the champion is 1 again") as raised,
        rollback.undone_on_failure(mlflow, "iris", "2"),
    ):
        raise error
    assert raised.value.__cause__ is error
    assert champion_of(registry) == "1"


@pytest.mark.usefixtures("older")
def test_a_verified_promotion_is_not_taken_back(run: Run, registry: Any) -> None:
    by_hand(run, "2")
    registry.models["iris"]["versions"]["2"]["tags"]["verified_by"] = "promote_model/promote-1"
    assert rollback.recover(MLflow(run.settings), "promote_model/promote-1") == ""
    assert champion_of(registry) == "2"


@pytest.mark.usefixtures("older")
def test_a_run_of_the_same_id_in_the_other_dag_is_another_run(run: Run, registry: Any) -> None:
    by_hand(run, "2", run.run_id)
    assert rollback.recover(MLflow(run.settings), run.key) == ""
    assert champion_of(registry) == "2"


def test_a_loop_that_is_taken_back_has_failed(run: Run, registry: Any, older: list[str]) -> None:
    registry.runs["r1"]["loop_state"] = "passed"
    plan = planned(older[0], insists=True)
    promote(run, plan, DATA, trained(champion="1"), {"name": "iris", "version": "2"})
    assert rollback.recover(MLflow(run.settings), run.key) == "the champion is 1 again"
    assert registry.runs["r1"]["loop_state"] == "failed"


@pytest.mark.usefixtures("older")
def test_taking_back_is_tried_again_while_mlflow_is_away(
    run: Run, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.models["iris"]["tags"]["promoted_at"] = "before"
    by_hand(run, "2")
    monkeypatch.setattr("loop.wait.time.sleep", lambda _: None)
    real, tries = MLflow.set_alias, []

    def away_once(*arguments: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise Unreachable("away")
        real(*arguments)

    monkeypatch.setattr(MLflow, "set_alias", away_once)
    said = rollback.restore(MLflow(run.settings), "iris", "2")
    assert (said, champion_of(registry)) == ("the champion is 1 again", "1")
    assert registry.models["iris"]["tags"]["promoted_at"] == "before"
