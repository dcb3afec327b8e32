"""The routes of the prediction log: one request of it, and what turned out to be true."""

from collections.abc import Callable
from datetime import UTC
from functools import wraps
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from prediction_api import logs
from prediction_api.body import check_media_type, decode
from prediction_api.errors import LogAway
from prediction_api.prediction_log.encoding import to_json
from prediction_api.prediction_log.feedback import take_feedback, unknown
from prediction_api.prediction_log.listing import read_wanted, shown
from prediction_api.prediction_log.log import PredictionLog
from prediction_api.prediction_log.rows import Row
from prediction_api.prediction_log.store import answered, brief
from prediction_api.problems import Problem
from prediction_api.record import RECORD

blueprint = Blueprint("prediction_log", __name__)

#: Columns that all rows of an answer share.
SHARED = ("model", "version", "git_sha", "data_version", "role", "ms")


def explained(view: Callable[..., Response]) -> Callable[..., Response]:
    """A route that answers Problem 503 while the database is away; the reason is for the log."""

    @wraps(view)
    def answer(**arguments: Any) -> Response:
        try:
            return view(**arguments)
        except (LogAway, SQLAlchemyError) as error:
            reason = error if isinstance(error, LogAway) else brief(error)
            logs.write("warning", "prediction-log", message=f"The prediction log is away: {reason}.")
            detail = "Its database cannot be used now; the log of the service says why."
            raise Problem("log-away", detail, headers=(("Retry-After", "5"),)) from error

    return answer


@blueprint.post("/feedback")
@explained
def feedback() -> Response:
    """Take the true labels of a request."""
    check_media_type(request.environ.get("CONTENT_TYPE", ""))
    log = _log()
    body = decode(request.environ[RECORD].body)
    return jsonify(take_feedback(body, log.store, current_app.extensions["prediction_api"].metrics))


@blueprint.get("/predictions")
@explained
def newest() -> Response:
    """The newest rows of the log; `more` where older ones would fit too."""
    store = _log().store
    rows, more = store.newest(read_wanted(request.args.to_dict(flat=False)))
    document = {"rows": [shown(row) for row in rows], "more": more}
    return Response(to_json(document), content_type="application/json")


@blueprint.get("/predictions/<request_id>")
@explained
def prediction(request_id: str) -> Response:
    """What the log holds of one request."""
    store = _log().store
    answers = store.answers(request_id)
    if not answers:
        raise unknown(request_id)
    truths = store.truths(request_id)
    told = answered(answers)  # what is told is of the newest one
    found = [_answer(rows, truths if rows is told else {}) for rows in answers]
    document = {"request_id": request_id, "answers": found}
    return Response(to_json(document), content_type="application/json")


def _log() -> PredictionLog:
    log = current_app.extensions["prediction_api"].log
    if log is None:
        raise Problem("log-off", "Predictions are not logged here: PREDICTION_LOG is off.")
    return log


def _answer(rows: list[Row], truths: dict[int, Row]) -> dict[str, Any]:
    at = rows[0]["at"].replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    shared = {name: rows[0][name] for name in SHARED}
    return {"at": at, **shared, "rows": [_row(row, truths.get(row["row"])) for row in rows]}


def _row(row: Row, truth: Row | None) -> dict[str, Any]:
    own = {name: row[name] for name in ("row", "inputs", "prediction", "confidence")}
    known = (truth["model"], truth["version"]) == (row["model"], row["version"]) if truth else False
    return own | {"label": truth["label"], "correct": truth["correct"]} if truth and known else own
