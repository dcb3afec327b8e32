"""The routes. Flask finds the function and the function asks the plain modules."""

import math
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from prediction_api import logs, metrics, problems
from prediction_api.body import check_media_type
from prediction_api.loading import servable
from prediction_api.model import Model, predict_body
from prediction_api.observation import RECORD, Record
from prediction_api.problems import Problem
from prediction_api.service import Service

blueprint = Blueprint("api", __name__)

ALL_ROUTES = "The routes are /predict, /health, /ready, /model and /metrics."


@blueprint.post("/predict")
def predict() -> Response:
    """Predict the instances in the body."""
    record, service = _record(), _service()
    check_media_type(request.headers.get("Content-Type", ""))
    model = _model(record)
    predictions, body = predict_body(model, record.body, service.settings.max_rows)
    record.rows = len(predictions)
    service.count(model, predictions)
    return Response(body, mimetype="application/json")


@blueprint.get("/health")
def health() -> Response:
    """Say that the process answers."""
    return jsonify(status="ok")


@blueprint.get("/ready")
def ready() -> Response:
    """Say that a model serves."""
    identity = _model(_record()).identity
    return jsonify(status="ready", name=identity.name, version=identity.version)


@blueprint.get("/model")
def model() -> Response:
    """Describe what serves and what could."""
    serving, about = _service().serving, _about()
    try:
        served = _model(_record())
    except Problem as problem:
        problem.members |= about
        raise
    return jsonify(_describe(served) | {"source": serving.source} | about)


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """The metrics of all workers."""
    return Response(_service().metrics.render(), content_type=metrics.MEDIA_TYPE)


def register(app: Flask) -> None:
    """Give the application its routes and its form of error answers."""
    app.register_blueprint(blueprint)
    app.register_error_handler(Problem, _answer_problem)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def _describe(served: Model) -> dict[str, Any]:
    identity = served.identity.as_dict()
    return {name: identity[name] for name in ("name", "version", "git_sha", "data_version", "run_id")} | {
        "loaded_at": served.loaded_at,
        "signature": served.signature.describe(),
    }


def _about() -> dict[str, Any]:
    service = _service()
    return {
        "workers": service.workers.describe(),
        "servable": servable(),
        "last_refusal": service.serving.last_refusal,
    }


def _model(record: Record) -> Model:
    if record.model is None:
        service = _service()
        seconds = str(math.ceil(service.settings.poll_seconds))
        empty = "MLflow has no champion that could be served; see last_refusal of /model."
        detail = service.serving.away or empty
        raise Problem("no-model", detail, headers=(("Retry-After", seconds),))
    return record.model


def _answer_problem(problem: Problem) -> Response:
    body = problems.document(problem, _record().request_id)
    return Response(body, problem.status, list(problem.headers), content_type=problems.MEDIA_TYPE)


def _answer_http(error: HTTPException) -> Response:
    if error.code == 404:
        return _answer_problem(Problem("not-found", ALL_ROUTES))
    if error.code == 405:
        allowed = ", ".join(sorted(error.valid_methods or ()))
        headers = (("Allow", allowed),)
        return _answer_problem(Problem("method-not-allowed", f"This route takes {allowed}.", headers=headers))
    body = problems.http_document(error.code or 500, error.description or "", _record().request_id)
    return Response(body, error.code, content_type=problems.MEDIA_TYPE)


def _answer_unexpected(error: Exception) -> Response:
    record = _record()
    message = f"{type(error).__name__}: {error}"
    logs.write("error", "unexpected", request_id=record.request_id, message=message, trace=logs.trace(error))
    return _answer_problem(Problem("unexpected", "The log has a line with this request_id that says more."))


def _record() -> Record:
    return request.environ[RECORD]


def _service() -> Service:
    return current_app.extensions["prediction_api"]
