"""`gate`: whether a trained model may be registered. The decision is a pure function."""

from typing import Any

from loop.limits import Thresholds
from loop.mlflow import MLflow, Version
from loop.prediction import PredictionAPI, Served
from loop.repeat import ENDED
from loop.run import Outcome, Run

EVIDENCE = "gate.json"
SAME_ROWS = 1e-9  # two accuracies of the same rows differ by at least one row, or not at all

# How many leading parts of a version must agree. scikit-learn promises to read only what the very same
# version wrote, skops keeps its format within a minor version, numpy its arrays within a major one.
AGREEING_PARTS = {"scikit-learn": 3, "skops": 2, "numpy": 1}

Figures = dict[str, Any]


def gate(run: Run, train: dict[str, Any]) -> Outcome:
    """Judge the trained model against thresholds, champion and running API; keep the evidence in its run."""
    mlflow = MLflow(run.settings)
    served = PredictionAPI(run.settings).served()
    reason = judge(train, train.get("champion"), served, run.limits.gate)
    verdict = "rejected" if reason else "passed"
    kept = ("metrics", "per_class", "champion", "types", "libraries")
    evidence = {"verdict": verdict, "reason": reason, **{key: train.get(key) for key in kept}}
    mlflow.write(train["mlflow_run_id"], EVIDENCE, evidence)
    if reason:
        mlflow.set_run_tag(train["mlflow_run_id"], ENDED, verdict)
        return Outcome(verdict, reason)
    return Outcome(verdict, _praise(train, train.get("champion")))


def judge(result: Figures, champion: Figures | None, served: Served, thresholds: Thresholds) -> str:
    """The reason to reject a model, or an empty string.

    `result` and `champion` hold `metrics` and `per_class` on the same test rows. Without a champion, or with
    one of another schema or without figures, only the thresholds and the API count.
    """
    reasons = [*below(result, thresholds), *unservable(result, served)]
    if champion and champion.get("same_schema") and champion.get("metrics"):
        reasons += worse(result, champion, thresholds)
    return "; ".join(reasons)


def below(result: Figures, thresholds: Thresholds) -> list[str]:
    """What stays below a threshold."""
    reasons = []
    for metric, least in thresholds.least_metrics.items():
        value = result.get("metrics", {}).get(metric)
        if value is None:
            reasons.append(f"the result names no {metric}, which slo.yaml wants to be at least {least:.3f}")
        elif not value >= least:
            reasons.append(f"{metric} {value:.3f} is below {least:.3f}")
    collapsed = [
        f"class {label} has collapsed: recall {recall:.3f} is below {thresholds.least_recall:.3f}"
        for label, recall in _recalls(result).items()
        if not recall >= thresholds.least_recall
    ]
    return reasons + (collapsed if _recalls(result) else ["the result names no recall of any class"])


def worse(result: Figures, champion: Figures, thresholds: Thresholds) -> list[str]:
    """Where a model is worse than the champion on the same test rows; equal is good enough."""
    version, reasons = champion.get("version"), []
    ours, theirs = result.get("metrics", {}).get("accuracy"), champion.get("metrics", {}).get("accuracy")
    if ours is None or theirs is None:
        reasons.append(f"model and champion {version} cannot be compared: one of them names no accuracy")
    elif not ours >= theirs - SAME_ROWS:
        reasons.append(f"accuracy {ours:.3f} is worse than {theirs:.3f} of champion {version}")
    for label, recall in _recalls(champion).items():
        now = _recalls(result).get(label)
        if now is None or not now >= recall - thresholds.most_recall_lost - SAME_ROWS:
            seen = "is gone" if now is None else f"fell to {now:.3f}"
            reasons.append(f"class {label}: recall {seen}, champion {version} has {recall:.3f}")
    return reasons


def unservable(result: Figures, served: Served) -> list[str]:
    """What the running API could not load, with both versions."""
    libraries, reasons = result.get("libraries") or {}, []
    for library, parts in AGREEING_PARTS.items():
        ours, theirs = libraries.get(library), served.libraries.get(library)
        if not (ours and theirs) or ours.split(".")[:parts] != theirs.split(".")[:parts]:
            reasons.append(
                f"trained with {library} {ours or 'unknown'}, the API serves {theirs or 'unknown'}"
            )
    if foreign := sorted(set(result.get("types") or ()) - set(served.types)):
        reasons.append(f"the API does not load the type {', '.join(foreign)}")
    return reasons


def judge_again(run: Run, train: dict[str, Any], data_version: str, now: Version) -> Outcome:
    """The verdict against a champion that came after the gate: passed, rejected or waiting.

    Its figures are those of its own run, comparable only when it was tested on the same rows. Else the model
    waits: only a person moves the champion meanwhile, and that person can tell which of the two is wanted.
    """
    mlflow = MLflow(run.settings)
    served = PredictionAPI(run.settings).served()
    same_rows = now.tags.get("data_version") == data_version
    figures = mlflow.read(now.run_id, EVIDENCE) if same_rows else None
    champion = figures and figures | {"version": now.number, "same_schema": True}
    was = (train.get("champion") or {}).get("version") or "none"
    changed = f"the champion changed after the gate, from {was} to {now.number}"
    if reason := judge(train, champion, served, run.limits.gate):
        return Outcome("rejected", f"{changed}: {reason}")
    if not champion:
        why = f"whose run has no {EVIDENCE}" if same_rows else "of other test rows"
        return Outcome("waiting", f"{changed} {why}: compare, then promote by hand")
    return Outcome("passed", f"{changed}, and the model is no worse")


def _recalls(figures: Figures) -> dict[str, float]:
    """The recall of each class that the test rows hold: one without a row has no recall to judge."""
    classes = figures.get("per_class") or {}
    return {label: float(each["recall"]) for label, each in classes.items() if each.get("support") != 0}


def _praise(train: Figures, champion: Figures | None) -> str:
    accuracy = (
        f"accuracy {train['metrics']['accuracy']:.3f}" if "accuracy" in train["metrics"] else "thresholds met"
    )
    if not champion:
        return f"{accuracy}; there is no champion yet"
    if not champion.get("same_schema"):
        return f"{accuracy}; champion {champion.get('version')} has another schema"
    if not champion.get("metrics"):
        why = champion.get("detail") or "it has no figures"
        return f"{accuracy}; not compared with champion {champion.get('version')}: {why}"
    return f"{accuracy}, champion {champion.get('version')} {champion['metrics'].get('accuracy', 0):.3f}"
