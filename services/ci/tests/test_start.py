"""A run by hand: what it is asked with, what is said of it, and how it ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from fakeserver import FakeServer
from workshop import SCRIPTS

from ci import follow
from ci.airflow import Airflow
from ci.command_settings import AirflowSettings
from ci.errors import DeliverError, UsageError
from ci.start import ask, read_conf

DAGS = "/api/v2/dags"
PROMOTE = f"POST {DAGS}/promote_model/dagRuns"
RUN = "manual-20261121T150301"
Start = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def start(fake: FakeServer) -> Start:
    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        values = {
            "AIRFLOW_URL": fake.url,
            "AIRFLOW_WEB_URL": "http://localhost:8803",
            "AIRFLOW_USER": "loop",
            "AIRFLOW_PASSWORD": "pass-1",
            "CI_DELIVER_TIMEOUT": "8",
        }
        return subprocess.run(
            [SCRIPTS / "ci", "start", *words], env=os.environ | values | env, capture_output=True, text=True
        )

    return run


def test_a_run_is_asked_for_and_its_page_said(start: Start, fake: FakeServer) -> None:
    fake.answers[PROMOTE] = (200, {})
    done = start("promote_model", "name=iris", "version=3", "reason=")
    assert (done.returncode, done.stderr) == (0, "")
    (body,) = fake.bodies(PROMOTE)
    run = body.pop("dag_run_id")
    assert body == {"logical_date": None, "conf": {"name": "iris", "version": "3"}}
    date, time = run.removeprefix("manual-").split("T")
    assert (len(date), len(time), (date + time).isdecimal()) == (8, 6, True)
    assert done.stdout.splitlines()[-1] == f"http://localhost:8803/dags/promote_model/runs/{run}"


def test_pairs_become_a_conf() -> None:
    pairs = ["promote=false", "force= true ", "version=10", "empty=", "blank=  ", "reason=a=b $(c); 'd'"]
    assert read_conf(pairs) == {
        "promote": False,
        "force": True,
        "version": "10",
        "reason": "a=b $(c); 'd'",
    }


@pytest.mark.parametrize("word", ["version", "=3", "Version=3", "a b=3", "-x=3", "$(x)=3", ""])
def test_a_wrong_pair_is_named(word: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_conf(["name=iris", word])
    assert repr(word) in str(refusal.value)


def test_wrong_usage_asks_for_nothing(start: Start, fake: FakeServer) -> None:
    for words in (("promote_model", "version"), ("a/b",), ("..",), ("promote_model", "a=1", "a=2")):
        done = start(*words)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "a is given twice" in done.stderr
    assert fake.requests == []
    assert "AIRFLOW_WEB_URL is not set" in start("promote_model", AIRFLOW_WEB_URL="").stderr


def test_an_unknown_dag_is_refused_with_those_that_there_are(start: Start, fake: FakeServer) -> None:
    fake.answers[f"GET {DAGS}"] = (200, {"dags": [{"dag_id": "train_and_serve"}, {"dag_id": "schedule"}]})
    done = start("promote")
    assert done.returncode == 1
    assert "Airflow has no DAG promote, only schedule, train_and_serve; check the name" in done.stderr


def test_an_airflow_that_has_read_no_dags_is_waited_for(start: Start, fake: FakeServer) -> None:
    fake.answers[f"GET {DAGS}"] = [(200, {"dags": []}), (200, {"dags": [{"dag_id": "promote_model"}]})]
    fake.answers[PROMOTE] = [(404, {}), (404, {}), (200, {})]
    done = start("promote_model")
    assert (done.returncode, len(fake.bodies(PROMOTE))) == (0, 3)
    assert "Waiting: Airflow does not know the DAG promote_model yet" in done.stdout


def test_a_refusal_is_said_in_one_sentence(start: Start, fake: FakeServer) -> None:
    fake.answers[PROMOTE] = (422, {"detail": "bad conf"})
    done = start("promote_model")
    assert done.returncode == 1
    assert done.stderr.startswith("ci: Airflow refused the run manual-")
    assert "(422): bad conf" in done.stderr


def test_a_run_of_the_same_second_is_ours_only_with_our_conf(fake: FakeServer) -> None:
    airflow = Airflow(fake.url, "loop", "pass-1")
    fake.answers[PROMOTE] = (409, {})
    fake.answers[f"GET {DAGS}/promote_model/dagRuns/{RUN}"] = (200, {"conf": {"version": "3"}})
    ask(airflow, "promote_model", RUN, {"version": "3"})
    with pytest.raises(DeliverError, match="another run"):
        ask(airflow, "promote_model", RUN, {"version": "4"})


# -- until its end


@pytest.fixture
def to_the_end(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Follows a run of these states, one a look, with these outcomes; what was said."""
    monkeypatch.setattr(follow, "PAUSE", 0.0)

    def run(states: list[str], tasks: list[dict[str, str | None]], **outcomes: dict[str, Any]) -> list[str]:
        base, said = f"GET {DAGS}/promote_model/dagRuns/{RUN}", []
        fake.answers[base] = [(200, {"state": state}) for state in states]
        rows = [[{"task_id": name, "state": state} for name, state in each.items()] for each in tasks]
        fake.answers[f"{base}/taskInstances"] = [(200, {"task_instances": each}) for each in rows]
        for task, value in outcomes.items():
            path = f"{base}/taskInstances/{task}/xcomEntries/outcome?deserialize=true"
            fake.answers[path] = (200, {"value": value})
        settings = AirflowSettings(fake.url, "http://localhost:8803", "loop", "pass-1", 3)
        airflow = Airflow(settings.url, settings.user, settings.password)
        follow.follow(airflow, settings, "promote_model", RUN, said.append)
        return said

    return run


def test_changes_are_said_until_the_run_has_ended(to_the_end: Callable[..., list[str]]) -> None:
    tasks = [{"promote": None}, {"promote": "running"}, {"promote": "running"}, {"promote": "success"}]
    said = to_the_end(["queued", "running", "running", "success"], tasks, promote={"state": "passed"})
    assert said == [
        f"{RUN}: queued",
        "promote: running",
        f"{RUN}: running",
        "promote: success",
        f"{RUN}: success",
    ]


def test_a_failed_run_says_why(to_the_end: Callable[..., list[str]]) -> None:
    why = {"state": "failed", "detail": "iris has no version 9 in MLflow"}
    with pytest.raises(DeliverError, match=rf"promote failed: iris has no version 9.*runs/{RUN}"):
        to_the_end(["failed"], [{"promote": "failed", "serve": "upstream_failed"}], promote=why)


def test_a_failed_run_without_words_says_where_to_look(to_the_end: Callable[..., list[str]]) -> None:
    with pytest.raises(DeliverError, match=rf"no task said why. See http://localhost:8803/.*{RUN}"):
        to_the_end(["failed"], [{"promote": "failed"}])


def test_a_rejection_is_no_pass_and_waiting_for_a_promotion_is(to_the_end: Callable[..., list[str]]) -> None:
    with pytest.raises(DeliverError, match="gate rejected: accuracy fell"):
        to_the_end(["success"], [{"gate": "success"}], gate={"state": "rejected", "detail": "accuracy fell"})
    to_the_end(["success"], [{"gate": "success"}], gate={"state": "waiting", "detail": "by hand"})


def test_an_airflow_that_restarts_is_waited_for(
    to_the_end: Callable[..., list[str]], fake: FakeServer
) -> None:
    answers = [(503, {}), (200, {"state": "success"})]

    class Restarting(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return answers.pop(0) if key.endswith(RUN) and answers else super().get(key, default)

    fake.answers = Restarting(fake.answers)
    said = to_the_end(["success"], [{"promote": "success"}])
    assert said[0].startswith("Waiting: ")
    assert said[-1] == f"{RUN}: success"


def test_a_run_that_is_deleted_is_said(fake: FakeServer) -> None:
    with pytest.raises(DeliverError, match="gone"):
        follow.look(Airflow(fake.url, "loop", "pass-1"), "promote_model", RUN)
