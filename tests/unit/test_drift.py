"""`sandbox drift`: the rows it asks about, and what it tells of a judgement."""

from types import SimpleNamespace

import pytest

from sandbox import drift, drift_traffic, wait
from sandbox.drift import Drifted, exit_code, run_drift, show_drift
from sandbox.drift_traffic import make_traffic
from sandbox.errors import LoopError
from sandbox.receipt import Receipt, Stage

NUMBERS = [
    {"name": "a", "type": "double"},
    {"name": "code", "type": "long"},
    {"name": "word", "type": "string"},
]
ROWS = [
    {"a": 1.0, "code": 1, "word": "x"},
    {"a": 3.0, "code": 2, "word": "y"},
    {"a": None, "code": 1, "word": "z"},
]
PSI = {"psi": 1.5, "ks": 0.8, "p_value": 1e-9, "scored": True}
JUDGEMENT = {"detail": "drifted", "drifted": True, "columns": {"a": PSI}, "mlflow_run_id": "r"}
LOOP = Receipt("drift-2026-01-01", "drift-2026-01-01", "", "passed", 40.0, [Stage("verify", "passed")])


class Api:
    """Serves one model and remembers what it was asked."""

    def __init__(self, signature=NUMBERS, logs=True):
        self.said = {"name": "m", "version": "3", "signature": signature, "logs_predictions": logs}
        self.asked, self.roles, self.queries = [], [], []

    def about(self):
        return self.said

    def predict(self, request, headers):
        self.asked += request["instances"]
        self.roles.append(headers["X-Model-Role"])

    def newest(self, **query):
        self.queries.append(query)
        return self.asked[: 30 * len(self.queries)]  # the log is a moment behind


class Airflow:
    """A run of the DAG drift that ends at the third look."""

    def __init__(self, judge=JUDGEMENT, start=None, state="success"):
        self.results = {"judge": judge, "start": start or {"run_id": LOOP.run_id, "started": True}}
        self.state, self.looks, self.started = state, 0, []

    def start(self, *what):
        self.started.append(what)

    def run(self, _dag, _run_id):
        self.looks += 1
        return {"state": self.state if self.looks > 2 else "running"}

    def said(self, _dag, _run_id, task, key):
        if key == "return_value":
            return self.results[task]
        return (
            {"state": "passed", "detail": f"{task} said"}
            if task != "judge" or self.results["judge"]
            else None
        )


@pytest.fixture
def context(monkeypatch):
    monkeypatch.setattr(wait.time, "sleep", lambda _: None)
    monkeypatch.setattr(drift_traffic, "served_rows", lambda _: ROWS)
    monkeypatch.setattr(drift.trace, "follow", lambda *_: LOOP)
    mlflow = SimpleNamespace(run=lambda _: {"info": {"experiment_id": "7"}})
    where = SimpleNamespace(outside="http://127.0.0.1:1")
    endpoints = SimpleNamespace(mlflow=where, airflow=where)
    driver = SimpleNamespace(services=lambda: [])
    api = Api()
    return SimpleNamespace(
        prediction_api=api, airflow=Airflow(), mlflow=mlflow, endpoints=endpoints, driver=driver
    )


def test_numbers_are_shifted_and_codes_are_not(context):
    traffic = make_traffic(context, 3.0, 7)
    assert [row["a"] for row in traffic.rows[:3]] == [4.0, 6.0, None]
    assert [{**row, "a": 0} for row in traffic.rows] == [{**ROWS[n % 3], "a": 0} for n in range(7)]
    assert (traffic.shifted, "a shifted by 3 standard deviations" in traffic.said) == (["a"], True)
    assert make_traffic(context, 0.0, 3).rows == ROWS


def test_of_texts_alone_longer_ones_are_asked(context):
    context.prediction_api = Api([{"name": "word", "type": "string"}])
    traffic = make_traffic(context, 3.0, 1)
    assert traffic.rows[0]["word"] == "x x x"
    assert "3 times as long" in traffic.said


@pytest.mark.parametrize(("api", "said"), [(Api(logs=False), "not logged"), (None, "No model is served")])
def test_what_nobody_would_see_is_refused(context, api, said):
    context.prediction_api = api or SimpleNamespace(about=lambda: None)
    with pytest.raises(LoopError, match=said):
        make_traffic(context, 3.0, 1)


def test_the_story_from_requests_to_the_loop(context, capsys):
    found = run_drift(context, 3.0, 60, 10)
    api = context.prediction_api
    assert (len(api.asked), api.roles, len(api.queries)) == (60, ["champion"] * 2, 2)
    ((dag, run_id, conf),) = context.airflow.started
    assert (dag, run_id[:6], conf) == ("drift", "judge-", {"reason": "manual"})
    assert found.report == "http://127.0.0.1:1/#/experiments/7/runs/r/artifacts/drift.html"
    assert (found.as_json()["traffic"]["rows"], found.as_json()["loop"]["run_id"]) == (60, LOOP.run_id)
    show_drift(found)
    said = capsys.readouterr()
    assert "judge passed: judge said" in said.err
    assert all(word in said.out for word in ("1.500", "0.800", "1e-09", "drift-2026-01-01: passed"))
    assert exit_code(found) == 0


def test_a_loop_that_ran_already_is_said(context, capsys):
    context.airflow = Airflow(start={"run_id": LOOP.run_id, "started": False})
    found = run_drift(context, 3.0, 1, 10)
    assert found.receipt is None
    show_drift(found)
    assert "no loop was started: start said" in capsys.readouterr().err


def test_texts_say_why_nothing_follows(context, capsys):
    texts = JUDGEMENT | {"drifted": False, "columns": {"word": PSI | {"scored": False}}}
    show_drift(Drifted(make_traffic(context, 3.0, 1), texts, "", False, "none", None))
    assert "texts have no score" in capsys.readouterr().err


@pytest.mark.parametrize(("judge", "state"), [(JUDGEMENT, "failed"), (None, "success")])
def test_a_run_that_judged_nothing_says_what_it_said_last(context, judge, state):
    context.airflow = Airflow(judge, state=state)
    with pytest.raises(LoopError, match="judged nothing: start said"):
        run_drift(context, 3.0, 1, 10)
