"""The id of a request leads to its prediction and to the receipt of the version that answered."""

from types import SimpleNamespace

import pytest

from sandbox import traced_prediction
from sandbox.errors import LoopError, UnknownReference
from sandbox.http import ApiError
from sandbox.receipt import Receipt
from sandbox.traced_prediction import show_prediction, trace_prediction

ROW = {"row": 0, "inputs": {"text": "[bold] ü", "age": "***"}, "prediction": "setosa", "confidence": None}
COMMON = {"at": "2026-05-01T10:00:00.000+00:00", "version": "3", "role": "champion", "ms": 1.25}
ANSWER = COMMON | {"model": "iris%C3%A9", "rows": [ROW | {"label": "virginica", "correct": False}]}
SHADOWED = ANSWER | {"role": "shadow", "version": "4"}


@pytest.fixture
def context(monkeypatch):
    """A log that knows `abc`, and a registry whose version 3 was made by manual-1."""
    loops = {"manual-1": Receipt("manual-1", "manual-1", "c" * 40, "passed", 1.0)}
    monkeypatch.setattr(traced_prediction, "find_loop", lambda _, run_id: run_id)
    monkeypatch.setattr(traced_prediction, "read_receipt", lambda _, run_id: loops[run_id])
    answers = {"abc": {"request_id": "abc", "answers": [ANSWER, SHADOWED]}}
    made = {("irisé", "3"): {"tags": {"loop_run_id": "manual-1"}}}
    return SimpleNamespace(
        prediction_api=SimpleNamespace(logged=answers.get),
        mlflow=SimpleNamespace(version=lambda *of: made.get(of)),
    )


def test_the_receipt_is_of_the_version_that_answered(context, capsys):
    traced = trace_prediction(context, UnknownReference("abc"))
    document = traced.as_json()
    assert (document["ref"], document["run_id"], document["state"]) == ("abc", "manual-1", "passed")
    assert document["prediction"]["answers"][0]["rows"][0]["prediction"] == "setosa"
    assert traced.exit_code == 0
    show_prediction(traced)
    said = capsys.readouterr().out
    assert "version 3" in said
    assert "text=[bold] ü" in said
    assert "virginica" in said
    assert "manual-1: passed" in said


def test_a_clients_text_steers_no_terminal_and_is_cut(context, monkeypatch, capsys):
    row = ROW | {"inputs": {"text": "a\x1b[2Jb\x1b]0;owned\x07" + "x" * 5000}}
    answers = {"request_id": "abc", "answers": [ANSWER | {"rows": [row]}]}
    monkeypatch.setattr(context.prediction_api, "logged", lambda _: answers)
    show_prediction(trace_prediction(context, UnknownReference("abc")))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "x" * 300 not in said


def test_a_version_whose_run_is_gone_shows_its_prediction(context, monkeypatch, capsys):
    def gone(_, run_id):
        raise UnknownReference(run_id)

    monkeypatch.setattr(traced_prediction, "find_loop", gone)
    traced = trace_prediction(context, UnknownReference("abc"))
    assert traced.as_json()["prediction"]["request_id"] == "abc"
    show_prediction(traced)
    assert "KEEP_RUN_DAYS" in capsys.readouterr().out


@pytest.mark.parametrize("ref", ["unknown", "a b", "main/../x"])
def test_what_the_log_does_not_know_either_is_unknown_as_before(context, ref):
    with pytest.raises(LoopError, match="Nothing here is called"):
        trace_prediction(context, UnknownReference(ref))


def test_an_api_that_is_down_hides_nothing_of_the_first_error(context):
    def away(_):
        raise ApiError("no connection")

    context.prediction_api.logged = away
    with pytest.raises(LoopError, match="Nothing here is called 'abc'"):
        trace_prediction(context, UnknownReference("abc"))
