"""What a loop that ended tells people: an alert of severity `info`, in the form that every alert has."""

from dataclasses import dataclass
from typing import Any

from monitor.airflow import LOOP
from monitor.outcomes import FAILED, REJECTED, SERVED, WAITING

SERVES, REJECTS, FAILS, CELEBRATES, WAITS = EVENTS = (
    "LoopServed", "LoopRejected", "LoopFailed", "LoopCelebrates", "LoopWaits",
)  # fmt: skip
NAMES = {SERVED: SERVES, REJECTED: REJECTS, FAILED: FAILS, WAITING: WAITS}  # the other outcomes tell nobody
MOST = 500  # characters of a reason
NOTHING_CHANGED = "The model that was served before still is."

Document = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """An ended run as people hear of it; `at` is ISO 8601, `stage` what decided, `model` as `iris/3`."""

    dag: str
    run_id: str
    at: str
    outcome: str
    reason: str
    stage: str = ""
    detail: str = ""
    model: str = ""
    accuracy: float | None = None


def of_run(ended: Ended, celebrate: float) -> Document | None:
    """The event of an ended run, None where its end tells nobody anything."""
    name = NAMES.get(ended.outcome)
    if name == SERVES and ended.dag == LOOP and (ended.accuracy or 0.0) >= celebrate:
        name = CELEBRATES
    if not name:
        return None
    summary, impact, command = _texts(ended, name, celebrate)
    labels = {"dag": ended.dag, "run_id": ended.run_id, "reason": ended.reason, "outcome": ended.outcome}
    labels |= {"ended": ended.at}  # what ends the same way again is another event
    more = {"stage": ended.stage, "model": ended.model}
    return _event(
        name, ended.at, labels | {key: text for key, text in more.items() if text}, summary, impact, command
    )


def of_red_build(repository: str, commit: str, at: str, description: str) -> Document:
    """The event of a head of `main` whose build is red: its loop ended before it had a run."""
    labels = {"repository": repository, "commit": commit, "outcome": FAILED, "stage": "ci"}
    summary = f"{repository} {commit[:12]} failed in ci: {description[:MOST] or 'no reason given'}"
    return _event(FAILS, at, labels, summary, NOTHING_CHANGED, f"make trace REF={commit[:12]}")


def _texts(ended: Ended, name: str, celebrate: float) -> tuple[str, str, str]:
    """Summary, impact, command."""
    trace = f"make trace REF={ended.run_id}"
    figure = f" with accuracy {ended.accuracy:.3f}" if ended.accuracy is not None else ""
    model = ended.model.replace("/", " version ") or "A model"
    why = ended.detail[:MOST] or "no reason given; its log in Airflow tells more"
    return {
        SERVES: (f"{model} is served{figure} ({ended.run_id})", "Every prediction comes from it.", trace),
        CELEBRATES: (
            f"{model} is served{figure}, at or above {celebrate:g} ({ended.run_id})",
            "Every prediction comes from it.",
            trace,
        ),
        REJECTS: (f"{ended.run_id} was rejected at {ended.stage}: {why}", NOTHING_CHANGED, trace),
        FAILS: (f"{ended.run_id} failed at {ended.stage or 'its start'}: {why}", NOTHING_CHANGED, trace),
        WAITS: (
            f"{ended.run_id} waits: {why}",
            NOTHING_CHANGED,
            f"make promote VERSION={ended.model or '<n>'}",
        ),
    }[name]


def _event(name: str, at: str, labels: Document, summary: str, impact: str, command: str) -> Document:
    return {
        "labels": {"alertname": name, "severity": "info", **labels},
        "annotations": {
            "summary": summary,
            "impact": impact,
            "command": command,
            "runbook": f"docs/runbook.md#{name.lower()}",
        },
        "startsAt": at,
    }
