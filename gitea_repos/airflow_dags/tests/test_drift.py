"""`look` and `start` of the DAG `drift` against small real servers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loop import drift
from loop.errors import Refused
from loop.run import Run
from loop.settings import schedule
from tests.neighbours import Repository

IMAGE = f"env:sha256:{'a' * 64}"


class Log:
    """The prediction API with so many rows in its log, and MLflow with earlier judgements."""

    def __init__(self) -> None:
        self.rows, self.status, self.judged, self.queries = 500, 200, [], []
        self.workers = [{"name": "iris", "version": "3"}]
        self.more = False

    def api(self, _: str, path: str, query: dict[str, str], __: Any) -> tuple[int, Any]:
        if path == "/model":
            return 200 if self.workers else 503, {"workers": self.workers, "servable": {}}
        self.queries.append(query)
        most = int(query["limit"])
        document = {
            "rows": [{}] * min(self.rows, most),
            "more": self.more or self.rows > most,
            "detail": "no",
        }
        return self.status, document

    def mlflow(self, _: str, path: str, __: dict[str, str], body: Any) -> tuple[int, Any]:
        if path.endswith("experiments/search"):
            return 200, {"experiments": [{"experiment_id": "7"}]}
        assert body["filter"] == "tags.`model` = 'iris' and tags.`version` = '3'"
        tags = [[{"key": "newest_row", "value": each}] for each in self.judged]
        return 200, {"runs": [{"data": {"tags": each}} for each in tags]}


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def looking(run: Run, log: Log, serve: Callable[[Any], Any]) -> Run:
    own = {"api_url": serve(log.api).address, "mlflow_tracking_uri": serve(log.mlflow).address}
    run_id = "scheduled__2026-01-01T00:00:00+00:00"
    return replace(run, dag_id="drift", run_id=run_id, settings=replace(run.settings, **own))


def since(log: Log) -> datetime:
    return datetime.fromisoformat(log.queries[-1]["since"])


def test_enough_rows_are_judged_by_the_newest_green_commit(
    looking: Run, log: Log, statuses: Any, repository: Callable[[str], Repository]
) -> None:
    made = repository("model_training")
    green, red = made.commit("green"), made.commit("red")
    statuses.set(green, "ci", "success")
    statuses.set(green, "image", "success", IMAGE)
    statuses.set(red, "ci", "pending")
    outcome = drift.look(looking)
    assert (outcome.state, outcome.values) == ("passed", {"image": IMAGE, "code_commit": green})
    (query,) = log.queries
    assert (query["model"], query["version"], query["limit"]) == ("iris", "3", "200")
    assert since(log) <= datetime.now(UTC) - timedelta(hours=24)
    log.rows, log.more = 20, True  # an answer that is cut, because inputs are large
    assert drift.look(looking).state == "passed"


def test_too_few_new_rows_end_the_run_before_an_image_is_looked_for(looking: Run, log: Log) -> None:
    seen = datetime.now(UTC) - timedelta(hours=1)
    log.rows, log.judged = 199, [seen.isoformat(), (seen - timedelta(hours=3)).isoformat()]
    outcome = drift.look(looking)
    assert outcome.state == "skipped"
    assert outcome.detail.startswith("too few to judge: 199 rows of iris version 3 since ")
    assert since(log) == seen
    drift.look(replace(looking, conf={"reason": "manual"}))
    assert since(log) < seen - timedelta(hours=22), "a person's run looks at the whole window"


@pytest.mark.parametrize(
    ("status", "workers", "said"),
    [(404, [{"name": "iris", "version": "3"}], "PREDICTION_LOG"), (200, [], "no model is served")],
)
def test_where_there_is_nothing_to_judge_nothing_fails(
    looking: Run, log: Log, status: int, workers: list[Any], said: str
) -> None:
    log.status, log.workers = status, workers
    outcome = drift.look(looking)
    assert outcome.state == "skipped"
    assert said in outcome.detail


def test_a_token_that_is_refused_is_no_reason_to_be_quiet(looking: Run, log: Log) -> None:
    log.status = 401
    with pytest.raises(Refused):
        drift.look(looking)


class Airflow:
    """The runs that were asked for, and those that are there."""

    def __init__(self) -> None:
        self.runs: dict[str, datetime] = {}
        self.asked: list[dict[str, Any]] = []

    def __call__(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == "/auth/token":
            return 201, {"access_token": "t"}
        assert path == "/api/v2/dags/train_and_serve/dagRuns"
        if method == "POST":
            self.asked.append(body)
            return (409 if body["dag_run_id"] in self.runs else 200), {"detail": "there already"}
        fitting = {
            name: at for name, at in self.runs.items() if name.startswith(query["run_id_prefix_pattern"])
        }
        newest = sorted(fitting, key=fitting.__getitem__, reverse=True)[: int(query["limit"])]
        row = {"dag_id": "train_and_serve", "state": "running"}
        runs = [row | {"dag_run_id": name, "run_after": fitting[name].isoformat()} for name in newest]
        return 200, {"dag_runs": runs}


@pytest.fixture
def airflow(serve: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> Airflow:
    made = Airflow()
    for key, value in {"URL": serve(made).address, "USER": "loop", "PASSWORD": "secret"}.items():
        monkeypatch.setenv(f"AIRFLOW_{key}", value)
    return made


def test_drift_starts_the_loop_of_the_day(run: Run, airflow: Airflow) -> None:
    now = datetime.now(UTC)
    airflow.runs = {"push-model_training-aaaaaaaaaaaa": now, "drift-2026-01-01": now - timedelta(hours=25)}
    outcome = drift.start(run, {"drifted": True})
    (asked,) = airflow.asked
    assert outcome.values == {"run_id": asked["dag_run_id"], "started": True}
    assert asked["dag_run_id"].removeprefix("drift-") in {f"{now:%Y-%m-%d}", f"{datetime.now(UTC):%Y-%m-%d}"}
    assert (asked["conf"], asked["logical_date"]) == ({"reason": "drift"}, None)
    assert outcome.url.endswith(f"/dags/train_and_serve/runs/{asked['dag_run_id']}")


def test_within_the_window_it_starts_no_second_one(run: Run, airflow: Airflow) -> None:
    airflow.runs = {"drift-2026-01-01": datetime.now(UTC) - timedelta(hours=23)}
    outcome = drift.start(run, {"drifted": True})
    assert (outcome.state, outcome.values) == ("passed", {"run_id": "drift-2026-01-01", "started": False})
    assert airflow.asked == []
    assert drift.start(run, {"drifted": False}).values == {"run_id": "", "started": False}


def test_a_short_window_may_start_two_a_day(run: Run, airflow: Airflow) -> None:
    limits = replace(run.limits, drift=replace(run.limits.drift, window_hours=0.001))
    earlier = datetime.now(UTC) - timedelta(minutes=1)
    airflow.runs = {f"drift-{datetime.now(UTC) + timedelta(days=day):%Y-%m-%d}": earlier for day in (0, 1)}
    outcome = drift.start(replace(run, limits=limits), {"drifted": True})
    assert outcome.values["started"]
    assert "T" in outcome.values["run_id"]


def test_the_schedule_of_drift_is_a_setting_of_its_own() -> None:
    environ = {"LOOP_SCHEDULE": "@daily", "DRIFT_SCHEDULE": ""}
    assert schedule("@hourly", environ, key="DRIFT_SCHEDULE") is None
    assert schedule("@hourly", {}, key="DRIFT_SCHEDULE") == "@hourly"
