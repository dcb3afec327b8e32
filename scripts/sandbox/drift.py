"""`sandbox drift`: sends requests that are unlike training, has them judged, follows the loop they start."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox import console, trace
from sandbox.context import Context
from sandbox.drift_alerts import firing
from sandbox.drift_traffic import Traffic, make_traffic
from sandbox.errors import LoopError, ServiceError
from sandbox.receipt import ENDED, Receipt
from sandbox.wait import wait_until

DAG = "drift"
TASKS = ("look", "judge", "start")
ANSWERED = 50  # rows of one request
ALERT_SECONDS = 60.0
LOG_SECONDS = 60.0  # until what was asked is in the log


@dataclass(frozen=True)
class Drifted:
    """What came of it: the judgement as its task printed it, the loop that was started, links."""

    traffic: Traffic
    judgement: dict[str, Any]
    said: str
    started: bool
    report: str
    receipt: Receipt | None
    alerts: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The document of `sandbox drift -o json`."""
        about = asdict(self.traffic)
        about["rows"] = len(self.traffic.rows)
        loop = self.receipt.as_json() if self.receipt else None
        return {
            "traffic": about,
            "judgement": self.judgement,
            "start": self.said,
            "started": self.started,
            "report": self.report,
            "alerts": self.alerts,
            "loop": loop,
        }


def run_drift(context: Context, shift: float, rows: int, seconds: float) -> Drifted:
    """Tell the whole story once. Raises LoopError where it cannot be told, ServiceError and ApiError."""
    traffic = make_traffic(context, shift, rows)
    console.step(f"asks {traffic.model} version {traffic.version} about {rows} rows: {traffic.said}")
    _send(context, traffic)
    run_id = f"judge-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    context.airflow.start(DAG, run_id, {"reason": "manual"})
    console.done(f"started {run_id} of {DAG}")
    _follow_judgement(context, run_id, seconds)
    judgement = _result(context, run_id, "judge")
    begun = _result(context, run_id, "start")
    said = (context.airflow.said(DAG, run_id, "start", "outcome") or {}).get("detail", "")
    if begun["started"]:
        console.done(f"{said}; it goes on without this command: make trace REF={begun['run_id']}")
    receipt = trace.follow(context, begun["run_id"], seconds) if begun["started"] else None
    report = _report(context, judgement["mlflow_run_id"])
    # The monitor sees the score, Prometheus the monitor: a minute, most of which a loop has taken already.
    alerts = firing(context, ALERT_SECONDS) if judgement["drifted"] else []
    return Drifted(traffic, judgement, said, begun["started"], report, receipt, alerts)


def show_drift(drifted: Drifted) -> None:
    """The same for people."""
    judgement = drifted.judgement
    console.say(judgement["detail"])
    columns = sorted(judgement["columns"].items(), key=lambda item: -item[1]["psi"])
    console.show(
        console.table(["Column", "PSI", "KS", "p-value", "Detail"], [_row(*each) for each in columns])
    )
    for alert in drifted.alerts:
        console.say(f"alert: {alert}")
    if drifted.receipt:
        trace.show_receipt(drifted.receipt)
    elif judgement["drifted"]:
        console.note(f"no loop was started: {drifted.said}")
    elif judgement["columns"] and not any(column["scored"] for column in judgement["columns"].values()):
        console.note("texts have no score, so they never start a loop; docs/drift.md says why")
    console.say(f"Report: {drifted.report}")


def exit_code(drifted: Drifted) -> int:
    """As the loop ended, where one was started; else 0."""
    return trace.exit_code(drifted.receipt) if drifted.receipt else 0


def _send(context: Context, traffic: Traffic) -> None:
    """Ask about every row, and wait until the log has them all."""
    began = datetime.now(UTC)
    api = context.prediction_api
    for first in range(0, len(traffic.rows), ANSWERED):
        # A challenger would answer some of them, and only the champion's are judged.
        api.predict({"instances": traffic.rows[first : first + ANSWERED]}, {"X-Model-Role": "champion"})
    query = {"model": traffic.model, "version": traffic.version, "limit": len(traffic.rows)}
    query["since"] = began.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    wait_until(
        lambda: len(api.newest(**query)) >= len(traffic.rows) or None,
        what="the prediction log to hold every row",
        seconds=LOG_SECONDS,
        hint="Look: make logs SERVICE=prediction-api",
    )
    console.done(f"{len(traffic.rows)} rows are in the prediction log")


def _follow_judgement(context: Context, run_id: str, seconds: float) -> None:
    """Say what each task says until the run has ended. Raises LoopError where it failed."""
    told: dict[str, str] = {}

    def look() -> dict[str, Any] | None:
        run = context.airflow.run(DAG, run_id) or {}
        for task in TASKS:
            _tell(context, run_id, task, told)
        return run if run.get("state") in ENDED else None

    hint = f"Its log: {context.endpoints.airflow.outside}/dags/{DAG}/runs/{run_id}"
    run = wait_until(look, what=f"{run_id} to end", seconds=seconds, hint=hint, interval=1.0)
    if run["state"] == "failed" or "judge" not in told:
        said = next((told[task] for task in reversed(TASKS) if told.get(task)), "it ended without a word")
        raise LoopError(f"{run_id} judged nothing: {said}", hint)


def _tell(context: Context, run_id: str, task: str, told: dict[str, str]) -> None:
    outcome = context.airflow.said(DAG, run_id, task, "outcome") or {}
    if outcome and told.get(task) != outcome["detail"]:
        told[task] = outcome["detail"]
        console.news(f"{task} {outcome['state']}: {outcome['detail']}")


def _result(context: Context, run_id: str, task: str) -> dict[str, Any]:
    found = context.airflow.said(DAG, run_id, task, "return_value")
    if not isinstance(found, dict):
        raise ServiceError(f"Airflow does not hold the result of {task} of {run_id}.", "Run: make status")
    return found


def _report(context: Context, mlflow_run: str | None) -> str:
    """The page of the report in MLflow."""
    if not mlflow_run:
        return "none"
    experiment = context.mlflow.run(mlflow_run)["info"]["experiment_id"]
    where = f"#/experiments/{experiment}/runs/{mlflow_run}/artifacts/drift.html"
    return f"{context.endpoints.mlflow.outside}/{where}"


def _row(name: str, column: dict[str, Any]) -> list[str]:
    shown: Callable[[Any, str], str] = lambda value, form: "" if value is None else format(value, form)  # noqa: E731
    detail = "" if column["scored"] else "length of the text, without a score"
    return [name, f"{column['psi']:.3f}", shown(column["ks"], ".3f"), shown(column["p_value"], ".2g"), detail]
