"""serve and verify against a small API."""

from dataclasses import replace
from typing import Any

import pytest

from loop.announce import announce
from loop.errors import Failure, Unreachable
from loop.mlflow import MLflow
from loop.prediction import PredictionAPI
from loop.promote import held_by_a_pin
from loop.receipt import Stage
from loop.run import Run
from loop.serve import serve
from loop.verify import verify

NOW = "2026-01-01T12:00:00.123456+00:00"
PROMOTED = {"name": "iris", "version": "1", "mlflow_run_id": "r1"} | {"promoted_at": NOW}
KEPT = {"instances": [{"x": 1}, {"x": 2}], "predictions": ["a", "b"]}


@pytest.fixture
def promoted(registry: Any, api: Any) -> Any:
    """Version 1 is the champion, and has its rows to verify with."""
    registry.add("iris", "r1", code_commit="c" * 40, image="i")
    registry.models["iris"]["aliases"]["champion"] = "1"
    registry.artifacts["1/r1/artifacts/verification.json"] = KEPT
    api.workers, api.labels = [("iris", "1")], ["a", "b"]
    return registry


@pytest.mark.usefixtures("promoted")
def test_served_means_every_worker(run: Run, api: Any) -> None:
    api.workers = [("iris", "1")] * 2
    assert serve(run, PROMOTED).detail == "iris version 1 on 2 workers"


def test_one_old_worker_is_too_late_after_the_limit(run: Run, api: Any, promoted: Any) -> None:
    api.workers = [("iris", "1"), ("iris", "0")]
    with pytest.raises(
        Failure, match="was not served after 0 seconds; last seen: iris 1, iris 0; iris has no champ"
    ):
        serve(run, PROMOTED)
    assert "champion" not in promoted.models["iris"]["aliases"]


@pytest.mark.usefixtures("promoted")
def test_a_refusal_fails_at_once_with_its_reason(run: Run, api: Any) -> None:
    api.workers, api.refusal = [("iris", "0")], refusal("2026-01-01T12:00:00.123+00:00")
    patient = replace(run, limits=replace(run.limits, waits=replace(run.limits.waits, served=60)))
    with pytest.raises(Failure, match=r"the API refused iris version 1: type x\.Y"):
        serve(patient, PROMOTED)


def test_a_pinned_api_is_named_at_once_and_the_promotion_undone(run: Run, api: Any, promoted: Any) -> None:
    api.workers, api.pin = [("iris", "0")], "7"
    patient = replace(run, limits=replace(run.limits, waits=replace(run.limits.waits, served=60)))
    with pytest.raises(Failure, match=r"MODEL_PIN=7 names \(empty it in .env, then: make up\)"):
        serve(patient, PROMOTED)
    assert "champion" not in promoted.models["iris"]["aliases"]


def test_only_a_pin_holds_a_promotion_back(run: Run, api: Any) -> None:
    assert held_by_a_pin(run) == ""
    api.pin = "7"
    assert "MODEL_PIN=7" in held_by_a_pin(run)


def refusal(at: str) -> dict[str, str]:
    return {"name": "iris", "version": "1", "reason": "type x.Y", "at": at}


@pytest.mark.usefixtures("promoted")
def test_a_refusal_of_an_earlier_promotion_does_not_count(run: Run, api: Any) -> None:
    api.workers, api.refusal = [("iris", "0")], refusal("2026-01-01T12:00:00.122+00:00")
    with pytest.raises(Failure, match="was not served after"):
        serve(run, PROMOTED)


@pytest.mark.usefixtures("promoted")
def test_mlflow_away_for_a_moment_is_not_yet_a_failure(
    run: Run, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away(*_: Any) -> None:
        asked.append(1)
        api.workers = [("iris", "1")]
        raise Unreachable("away")

    monkeypatch.setattr(MLflow, "aliased", away)
    api.workers = [("iris", "0")]
    assert serve(run, PROMOTED).state == "passed"
    assert asked == [1]


def test_another_champion_meanwhile_ends_the_wait_and_stays(run: Run, api: Any, promoted: Any) -> None:
    promoted.add("iris", "r2")
    promoted.models["iris"]["aliases"]["champion"] = "2"
    api.workers = [("iris", "0")]
    with pytest.raises(
        Failure, match="version 2 became champion while the API loaded version 1; the champion is 2"
    ):
        serve(run, PROMOTED)


def test_verified_predictions_leave_a_receipt(run: Run, promoted: Any) -> None:
    promoted.artifacts["1/r1/artifacts/gate.json"] = {"metrics": {"accuracy": 0.9}}
    assert verify(run, PROMOTED, [Stage("plan", "passed")]).state == "passed"
    receipt = promoted.artifacts["1/r1/artifacts/receipt.json"]
    assert [stage["name"] for stage in receipt["stages"]] == ["plan", "verify"]
    assert receipt["metrics"] == {"accuracy": 0.9}
    assert receipt["model"] == {"name": "iris", "version": "1"}
    assert "http" not in str(receipt)
    assert promoted.runs["r1"]["loop_state"] == "passed"
    assert receipt["stages"][1]["started"]
    assert receipt["stages"][1]["seconds"] >= 0
    assert promoted.models["iris"]["versions"]["1"]["tags"]["verified_by"] == "train_and_serve/manual-1"


def test_a_promotion_by_hand_keeps_the_first_receipt(run: Run, promoted: Any) -> None:
    verify(replace(run, dag_id="promote_model", run_id="promote-1"), PROMOTED, [])
    assert "1/r1/artifacts/receipt.json" not in promoted.artifacts
    assert "1/r1/artifacts/promotions/promote-1.json" in promoted.artifacts


@pytest.mark.parametrize(
    ("labels", "reason"),
    [(["a", "a"], "1 of 2 live predictions differ .* row 1 is 'a', not 'b'"), (["a"], "rows are missing")],
)
def test_another_label_undoes_the_promotion(
    run: Run, api: Any, promoted: Any, labels: list[str], reason: str
) -> None:
    api.labels = labels
    with pytest.raises(Failure, match=reason):
        verify(run, PROMOTED, [])
    assert "champion" not in promoted.models["iris"]["aliases"]


def test_a_model_without_rows_to_verify_is_not_verified(run: Run, promoted: Any) -> None:
    del promoted.artifacts["1/r1/artifacts/verification.json"]
    with pytest.raises(Failure, match=r"no usable verification\.json"):
        verify(run, PROMOTED, [])


@pytest.mark.usefixtures("promoted")
def test_metrics_that_show_another_model_are_not_enough(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PredictionAPI, "counts", lambda *_: False)
    with pytest.raises(Failure, match="/metrics of the API does not show"):
        verify(run, PROMOTED, [])


@pytest.mark.parametrize(
    ("service", "call"), [(PredictionAPI, "predict"), (MLflow, "read"), (MLflow, "set_version_tag")]
)
def test_a_server_that_starts_again_is_waited_for(
    run: Run, promoted: Any, monkeypatch: pytest.MonkeyPatch, service: type, call: str
) -> None:
    answers, asked = getattr(service, call), []

    def away_once(*arguments: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise Unreachable("away")
        return answers(*arguments)

    monkeypatch.setattr(service, call, away_once)
    patient = replace(run, limits=replace(run.limits, waits=replace(run.limits.waits, served=60)))
    assert verify(patient, PROMOTED, []).state == "passed"
    assert promoted.models["iris"]["aliases"]["champion"] == "1"


@pytest.mark.usefixtures("promoted")
def test_an_api_that_stays_away_undoes_the_promotion(run: Run, api: Any, promoted: Any) -> None:
    api.workers = [("iris", "0")]
    with pytest.raises(Failure, match="does not answer with iris version 1 any more"):
        verify(run, PROMOTED, [])
    assert "champion" not in promoted.models["iris"]["aliases"]


PLAN = {"code_commit": "c", "data_commit": "d", "pushed": "data_preprocessing"}


@pytest.mark.parametrize(
    ("task", "state", "context", "said"),
    [
        ("data", "running", "data", "pending"),
        ("data", "passed", "data", "success"),
        ("gate", "rejected", "gate", "failure"),
        ("promote", "passed", "served", "pending"),
        ("promote", "waiting", "served", "pending"),
        ("promote", "skipped", "served", "success"),
        ("serve", "failed", "served", "failure"),
        ("verify", "passed", "served", "success"),
    ],
)
def test_stages_report_to_the_commits(
    run: Run, statuses: Any, task: str, state: str, context: str, said: str
) -> None:
    announce(run, PLAN, task, state, "why")
    assert statuses.posted["c"][context] == statuses.posted["d"][context]
    assert statuses.posted["c"][context]["status"] == said
    assert statuses.posted["c"][context]["description"] == f"{task}: why"


def test_a_status_server_that_is_away_stops_nothing(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    away = replace(run, settings=replace(run.settings, status_url="http://127.0.0.1:9/api/v1"))
    announce(away, PLAN | {"pushed": ""}, "data", "passed", "fine")
    assert "The status data of c was not set: The status server at http://127.0.0.1:9" in caplog.text
