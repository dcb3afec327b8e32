"""What the monitor takes from others stands where they have it: the gate's words, the mark of celebration."""

import sys

import pytest
import yaml


@pytest.fixture
def gate(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "gitea_repos/airflow_dags"))
    from loop import gate

    return gate


@pytest.fixture
def rules(root, monkeypatch):
    """The rules that a rejection names, as the monitor reads them."""
    monkeypatch.syspath_prepend(str(root / "services/monitor"))
    from monitor.outcomes import rules

    return rules


@pytest.fixture(autouse=True)
def _forget():
    """Neither package is the tool's: they go again."""
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("loop", "monitor")]:
        del sys.modules[name]


GOOD = {
    "metrics": {"accuracy": 0.9},
    "per_class": {"setosa": {"recall": 0.9}},
    "libraries": {"scikit-learn": "1.2.3", "skops": "0.1.0", "numpy": "2.0.0"},
    "types": [],
}
BETTER = {"metrics": {"accuracy": 0.95}, "per_class": {"setosa": {"recall": 0.9}}}
EQUAL = BETTER | {"metrics": {"accuracy": 0.9}}
CASES = [
    ({}, {}, []),
    ({"metrics": {"accuracy": 0.5}}, {}, ["least_metrics"]),
    ({"metrics": {"f1": 0.5}}, {}, ["least_metrics"]),
    ({"per_class": {"setosa": {"recall": 0.1}}}, {}, ["least_recall"]),
    ({"per_class": {}}, {}, ["least_recall"]),
    ({}, BETTER, ["worse_accuracy"]),
    ({}, BETTER | {"metrics": {"f1": 1}}, ["worse_accuracy"]),
    ({"per_class": {"setosa": {"recall": 0.5}}}, EQUAL, ["most_recall_lost"]),
    ({"per_class": {"virginica": {"recall": 0.9}}}, EQUAL, ["most_recall_lost"]),
    ({"libraries": {}}, {}, ["library"]),
    ({"types": ["a.B"]}, {}, ["type"]),
]


@pytest.mark.parametrize(("change", "champion", "expected"), CASES)
def test_each_sentence_of_the_gate_is_a_rule(gate, rules, change, champion, expected):
    from loop.limits import Limits
    from loop.prediction import Served

    fields = {"workers": [], "libraries": GOOD["libraries"], "types": []}
    unused = {name: None for name in Served.__dataclass_fields__ if name not in fields}
    against = {"version": "3", "same_schema": True, **champion} if champion else None
    said = gate.judge(GOOD | change, against, Served(**fields, **unused), Limits.read().gate)
    assert (rules(said) if said else []) == expected, said


def test_the_mark_of_celebration_stands_in_slo_yaml_too(root, settings):
    slo = yaml.safe_load((root / "gitea_repos/airflow_dags/slo.yaml").read_text())
    assert settings.celebrate_accuracy == slo["alerts"]["celebrate"]
