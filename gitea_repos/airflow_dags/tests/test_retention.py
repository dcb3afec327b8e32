"""What retention removes, and what it leaves because somebody still asks for it."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loop import retention
from loop.airflow import Airflow, Ran
from loop.errors import Failure, Unreachable
from loop.mlflow import MLflow
from loop.run import Run
from loop.settings import AirflowLogin, Retention
from tests.neighbours import Answer, Server
from tests.registry import Registry

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AGAIN = "started-again"
OLD, NEW = NOW - timedelta(days=40), NOW - timedelta(days=1)
PROGRAM = """#!/bin/sh
echo "$AIRFLOW__DATABASE__SQL_ALCHEMY_CONN $*" > "$AIRFLOW_HOME/called"
[ -z "$AIRFLOW__TEST__FAILS" ] || { echo "the database is locked" >&2; exit 1; }
"""


class Runs:
    """Airflow's runs in memory, a page of one hundred at a time."""

    def __init__(self, *runs: Ran) -> None:
        self.runs, self.gone = list(runs), []

    def __call__(self, method: str, path: str, query: dict[str, str], _: Any) -> Answer:
        if path == "/auth/token":
            return 201, {"access_token": "jwt"}
        if method == "DELETE" and path.endswith(AGAIN):
            return 409, {"detail": "it is running"}
        if method == "DELETE":
            self.gone.append(path.removeprefix("/api/v2/dags/").replace("/dagRuns", ""))
            return 204, ""
        start = int(query["offset"])
        return 200, {"dag_runs": [row(run) for run in self.runs[start : start + int(query["limit"])]]}


def row(run: Ran) -> dict[str, Any]:
    state = "success" if run.ended else "running"
    ended = run.ended.isoformat() if run.ended else None
    return {"dag_id": run.dag_id, "dag_run_id": run.run_id, "state": state, "end_date": ended}


def loop(run_id: str, ended: datetime | None = OLD) -> Ran:
    return Ran("train_and_serve", run_id, ended)


@pytest.fixture
def kept(tmp_path: Path) -> Retention:
    """Thirty days, and an `airflow` that notes how it was called."""
    program = tmp_path / "airflow"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    own = {
        "KEEP_RUN_DAYS": "30",
        "RETENTION_DATABASE": "sqlite:////there",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "airflow-db-not-allowed:///",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
        "PATH": os.environ["PATH"],
    }
    found = Retention.from_env(own)
    return replace(found, airflow=str(program))


@pytest.fixture
def clean(run: Run, kept: Retention, serve: Callable[[Any], Server]) -> Callable[..., tuple[Runs, str]]:
    def clean(*runs: Ran) -> tuple[Runs, str]:
        answers = Runs(*runs)
        airflow = Airflow(AirflowLogin(serve(answers).address, "loop", "secret"))
        return answers, retention.clean(kept, airflow, MLflow(run.settings), NOW)

    return clean


def test_old_runs_go_and_running_or_young_ones_stay(clean: Callable[..., tuple[Runs, str]]) -> None:
    runs = [loop("push-a", NEW), loop("push-b", None), loop("push-c"), Ran("schedule", "s", OLD)]
    answers, said = clean(*runs, *(loop(f"push-{number}") for number in range(150)))
    assert answers.gone == ["train_and_serve/push-c", *(f"train_and_serve/push-{n}" for n in range(150))]
    assert said.startswith("151 of 154 runs")


def test_the_runs_of_the_served_and_the_waiting_model_stay(
    clean: Callable[..., tuple[Runs, str]], registry: Registry
) -> None:
    registry.add("iris", "r1", loop_run_id="push-1", promoted_by="promote_model/manual-1")
    registry.add("iris", "r2", loop_run_id="push-2")
    registry.models["iris"]["aliases"] = {"champion": "1", "candidate": "2"}
    promotions = [Ran("promote_model", "manual-2", OLD), Ran("promote_model", "manual-1", OLD)]
    answers, _ = clean(loop("new"), *promotions, *(loop(f"push-{number}") for number in range(4)))
    assert answers.gone == ["train_and_serve/push-0", "train_and_serve/push-3"]


def test_the_numbers_of_runs_by_hand_never_begin_again(clean: Callable[..., tuple[Runs, str]]) -> None:
    answers, _ = clean(loop("push-1"), loop("manual-9"), loop("manual-10"))
    assert answers.gone == ["train_and_serve/manual-9"]


def test_a_run_that_somebody_starts_again_meanwhile_stays_with_its_log(
    clean: Callable[..., tuple[Runs, str]], kept: Retention
) -> None:
    log = make_log(kept.logs / "dag_id=train_and_serve" / f"run_id={AGAIN}", OLD)
    answers, said = clean(loop("newest"), loop(AGAIN), loop("old"))
    assert answers.gone == ["train_and_serve/old"]
    assert said.startswith("1 of 3 runs")
    assert log.exists()


def make_log(folder: Path, moment: datetime) -> Path:
    folder.mkdir(parents=True)
    (folder / "attempt=1.log").write_text("x")
    for path in (folder / "attempt=1.log", folder):
        os.utime(path, (moment.timestamp(),) * 2)
    return folder


def test_logs_go_with_their_runs_and_the_processors_by_age(
    clean: Callable[..., tuple[Runs, str]], kept: Retention
) -> None:
    runs = kept.logs / "dag_id=train_and_serve"
    gone = [make_log(runs / f"run_id={name}", OLD) for name in ("removed", "unknown")]
    gone.append(make_log(kept.logs / "dag_processor" / "2026-01-20", OLD))
    stay = [make_log(runs / "run_id=served", OLD), make_log(runs / "run_id=starting", NEW)]
    stay.append(make_log(kept.logs / "dag_processor" / "2026-02-28", NEW))
    clean(loop("served"), loop("removed"))
    assert [path.exists() for path in [*gone, *stay]] == [False] * 3 + [True] * 3


def test_events_go_by_airflows_own_command_with_the_real_database(
    clean: Callable[..., tuple[Runs, str]], tmp_path: Path
) -> None:
    clean()
    called = (tmp_path / "called").read_text().split()
    assert called[:4] == ["sqlite:////there", "db", "clean", "--yes"]
    assert called[-1] == "2026-01-30T00:00:00+00:00"


def test_a_command_that_fails_is_told_with_its_last_words(kept: Retention) -> None:
    failing = {**kept.environment, "AIRFLOW__TEST__FAILS": "yes"}
    with pytest.raises(Unreachable, match="ended with 1: the database is locked"):
        retention.clean_tables(replace(kept, environment=failing), OLD)


@pytest.mark.parametrize("days", ["", "0", "a week", "-1"])
def test_a_wrong_number_of_days_is_named(days: str) -> None:
    with pytest.raises(Failure, match="KEEP_RUN_DAYS"):
        Retention.from_env({"KEEP_RUN_DAYS": days})
