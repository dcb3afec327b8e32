from typing import Any

import pytest

from loop import gate
from loop.limits import Limits
from loop.prediction import Served
from loop.run import Run
from tests.neighbours import LIBRARIES

SERVED = Served((), ("", ""), "", "", LIBRARIES, ("sklearn.tree._tree.Tree",))


def figures(accuracy: float = 0.93, **recalls: float) -> dict[str, Any]:
    per_class = {label: {"recall": recall} for label, recall in (recalls or {"a": 0.9, "b": 0.9}).items()}
    return {"metrics": {"accuracy": accuracy}, "per_class": per_class, "libraries": LIBRARIES, "types": []}


def champion(accuracy: float = 0.93, same_schema: bool = True, **recalls: float) -> dict[str, Any]:
    return figures(accuracy, **recalls) | {"version": "3", "same_schema": same_schema}


def counted(figures: dict[str, Any], **support: int) -> dict[str, Any]:
    """The same figures with the test rows of each class."""
    per_class = {label: each | {"support": support[label]} for label, each in figures["per_class"].items()}
    return figures | {"per_class": per_class}


UNJUDGED = champion() | {"metrics": None, "per_class": None, "detail": "it could not be loaded"}

CASES = {
    "the champion could not be judged": (figures(0.75), UNJUDGED, ""),
    "no threshold without the champion's figures": (figures(0.6), UNJUDGED, "accuracy 0.600 is below 0.700"),
    "a champion of no class": (figures(), champion() | {"per_class": None}, ""),
    "a class without rows": (
        counted(figures(0.93, a=0.9, b=0.0), a=9, b=0),
        counted(champion(0.93, a=0.9, b=0.0), a=9, b=0),
        "",
    ),
    "a class that left the data": (figures(0.93, a=0.9), counted(champion(0.93, a=0.9, b=0.9), a=9, b=0), ""),
    "a class with rows is gone": (
        figures(0.95, a=0.9),
        counted(champion(), a=9, b=1),
        "class b: recall is gone",
    ),
    "first model above the thresholds": (figures(), None, ""),
    "a threshold is reached exactly": (figures(0.70), None, ""),
    "equal to the champion": (figures(), champion(), ""),
    "better than the champion": (figures(0.95), champion(), ""),
    "worse, but the champion has another schema": (figures(0.75), champion(0.99, same_schema=False), ""),
    "a class is a little weaker": (figures(0.93, a=0.7, b=0.9), champion(), ""),
    "a type that the API loads": (figures() | {"types": ["sklearn.tree._tree.Tree"]}, None, ""),
    "another patch of numpy": (figures() | {"libraries": LIBRARIES | {"numpy": "2.5.9"}}, None, ""),
    "below a threshold": (figures(0.699), None, "accuracy 0.699 is below 0.700"),
    "not a number": (figures(float("nan")), None, "accuracy nan is below"),
    "a metric is missing": (figures() | {"metrics": {}}, None, "names no accuracy"),
    "no class at all": (figures() | {"per_class": {}}, None, "names no recall"),
    "a class has collapsed": (figures(0.9, a=1.0, b=0.1), None, "class b has collapsed: recall 0.100"),
    "one row worse than the champion": (figures(0.92), champion(), "0.920 is worse than 0.930 of champion 3"),
    "better overall, but a class fell": (
        figures(0.95, a=0.5, b=1),
        champion(0.93, a=0.9, b=0.9),
        "class a: recall fell to 0.500",
    ),
    "better overall, but a class has collapsed": (
        figures(0.95, a=1.0, b=0.2),
        champion(0.93, a=0.9, b=0.4),
        "class b has collapsed: recall 0.200",
    ),
    "a class is gone": (figures(0.95, a=0.9), champion(), "class b: recall is gone"),
    "a foreign type": (figures() | {"types": ["x.Y"]}, None, "does not load the type x.Y"),
    "another scikit-learn": (
        figures() | {"libraries": LIBRARIES | {"scikit-learn": "1.8.0"}},
        None,
        "trained with scikit-learn 1.8.0, the API serves 1.9.1",
    ),
    "no library named": (
        figures() | {"libraries": {}},
        None,
        "trained with skops unknown, the API serves 0.16.0",
    ),
}


@pytest.mark.parametrize(("result", "against", "reason"), CASES.values(), ids=CASES)
def test_the_gate_judges(result: dict[str, Any], against: dict[str, Any] | None, reason: str) -> None:
    said = gate.judge(result, against, SERVED, Limits.read().gate)
    assert (reason in said) if reason else said == ""


def test_a_rejection_names_every_reason_and_is_kept_as_evidence(run: Run, registry: Any) -> None:
    train = figures(0.5) | {"mlflow_run_id": "r", "champion": None, "types": ["x.Y"]}
    outcome = gate.gate(run, train)
    assert outcome.state == "rejected"
    assert "below 0.700" in outcome.detail
    assert "x.Y" in outcome.detail
    assert registry.artifacts["1/r/artifacts/gate.json"]["verdict"] == "rejected"
    assert registry.runs["r"]["loop_state"] == "rejected"


@pytest.mark.usefixtures("registry")
def test_a_champion_without_figures_is_named_with_the_reason(run: Run) -> None:
    outcome = gate.gate(run, figures() | {"mlflow_run_id": "r", "champion": UNJUDGED})
    assert outcome.state == "passed"
    assert outcome.detail == "accuracy 0.930; not compared with champion 3: it could not be loaded"


def test_a_passed_gate_does_not_yet_end_the_loop(run: Run, registry: Any) -> None:
    assert gate.gate(run, figures() | {"mlflow_run_id": "r", "champion": champion()}).state == "passed"
    assert "loop_state" not in registry.runs.get("r", {})
