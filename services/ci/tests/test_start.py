"""A run by hand: what it is asked with, what is said of it, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from fakeserver import FakeServer
from workshop import SCRIPTS

from ci import follow
from ci import start as starting
from ci.airflow import Airflow
from ci.command_settings import AirflowSettings
from ci.errors import DeliverError, UsageError
from ci.insist import insist
from ci.start import Asking, read_conf

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


@pytest.fixture
def asking(fake: FakeServer) -> Asking:
    return Asking(Airflow(fake.url, "loop", "pass-1"), "promote_model", RUN, {"version": "3"})


def test_an_unknown_dag_is_refused_with_those_that_there_are(
    asking: Asking, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers[f"GET {DAGS}"] = (200, {"dags": [{"dag_id": "train_and_serve"}, {"dag_id": "schedule"}]})
    monkeypatch.setattr(starting, "READING", 0.0)
    with pytest.raises(DeliverError, match="no DAG promote_model, only schedule, train_and_serve; check the"):
        asking.ask()


def test_an_unknown_dag_is_waited_for_while_others_are_read(asking: Asking, fake: FakeServer) -> None:
    fake.answers[f"GET {DAGS}"] = (200, {"dags": [{"dag_id": "schedule"}]})
    fake.answers[PROMOTE] = [(404, {}), (404, {}), (200, {})]
    insist(asking.ask, 8, [].append)
    assert len(fake.bodies(PROMOTE)) == 3


def test_one_of_many_dags_is_known(asking: Asking, fake: FakeServer) -> None:
    for offset, name in ((0, "a"), (1, "promote_model")):
        page = {"dags": [{"dag_id": name}], "total_entries": 2}
        fake.answers[f"GET {DAGS}?limit=100&offset={offset}"] = (200, page)
    assert asking.airflow.dags() == ["a", "promote_model"]


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


def test_a_run_of_the_same_second_is_ours_only_with_our_conf(asking: Asking, fake: FakeServer) -> None:
    fake.answers[PROMOTE] = (409, {})
    fake.answers[f"GET {DAGS}/promote_model/dagRuns/{RUN}"] = (200, {"conf": {"version": "3"}})
    asking.ask()
    asking.conf = {"version": "4"}
    with pytest.raises(DeliverError, match="another run"):
        asking.ask()


# -- until its end


class EveryRun(dict[str, Any]):
    """Answers for whatever run was started: the name of one is the time of its start."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(re.sub(r"manual-[0-9T]+", RUN, key), default)


@pytest.mark.parametrize(
    "words",
    ["--wait promote_model version=3", "promote_model --wait version=3", "promote_model version=3 --wait"],
)
def test_the_command_waits_and_exits_as_the_run_ended(start: Start, fake: FakeServer, words: str) -> None:
    base = f"GET {DAGS}/promote_model/dagRuns/{RUN}"
    fake.answers = EveryRun(fake.answers)
    fake.answers[PROMOTE] = (200, {})
    fake.answers[base] = (200, {"state": "failed"})
    failed = {"task_instances": [{"task_id": "promote", "state": "failed"}]}
    fake.answers[f"{base}/taskInstances"] = (200, failed)
    why = {"value": {"state": "failed", "detail": "iris has no version 3"}}
    fake.answers[f"{base}/taskInstances/promote/xcomEntries/outcome"] = (200, why)
    done = start(*words.split())
    assert (done.returncode, fake.bodies(PROMOTE)[0]["conf"]) == (1, {"version": "3"})
    assert "did not pass: promote failed: iris has no version 3" in done.stderr
    fake.answers[base] = (200, {"state": "success"})
    fake.answers[f"{base}/taskInstances/promote/xcomEntries/outcome"] = (404, {})
    assert start(*words.split()).returncode == 0


def test_words_that_no_command_takes_are_refused(start: Start, fake: FakeServer) -> None:
    done = start("promote_model", "--wait", "--fast", "version=3")
    assert (done.returncode, fake.requests) == (2, [])
    assert "unrecognized arguments: --fast" in done.stderr


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
