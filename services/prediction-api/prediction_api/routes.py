"""The routes. Flask finds the function and the function asks the plain modules."""

from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from prediction_api import metrics, problems
from prediction_api.answers import answer_predict, answer_problem, answer_unexpected, served
from prediction_api.current import record as _record
from prediction_api.current import response as _response
from prediction_api.current import service as _service
from prediction_api.loading import servable
from prediction_api.model import Model, smoke_body
from prediction_api.prediction_log import routes as prediction_log
from prediction_api.problems import Problem

blueprint = Blueprint("api", __name__)

ALL_ROUTES = "GET /openapi.json lists the routes, /docs shows them."


@blueprint.post("/predict")
def predict() -> Response:
    """Predict the instances in the body."""
    return _response(answer_predict(_record(), request.environ.get("CONTENT_TYPE", ""), _service()))


@blueprint.get("/health")
def health() -> Response:
    """Say that the process answers."""
    return jsonify(status="ok")


@blueprint.get("/ready")
def ready() -> Response:
    """Say that a model serves."""
    identity = served(_record(), _service()).identity
    return jsonify(status="ready", name=identity.name, version=identity.version)


@blueprint.get("/smoke")
def smoke() -> Response:
    """Predict the served model's own example, neither counted nor logged: it fits whichever model serves."""
    model = served(_record(), _service())
    return Response(smoke_body(model, _service().settings.max_rows), content_type="application/json")


@blueprint.get("/model")
def model() -> Response:
    """Describe what serves and what could."""
    serving, about = _service().serving, _about()
    try:
        described = _describe(served(_record(), _service()))
    except Problem as problem:
        problem.members |= about
        raise
    return jsonify(described | {"source": serving.source} | about)


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """The metrics of all workers."""
    return Response(_service().metrics.render(), content_type=metrics.MEDIA_TYPE)


def register(app: Flask) -> None:
    """Give the application its routes and its form of error answers."""
    app.register_blueprint(blueprint)
    app.register_blueprint(prediction_log.blueprint)
    app.register_error_handler(Problem, _answer_problem)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def _describe(model: Model) -> dict[str, Any]:
    identity = model.identity.as_dict()
    return {name: identity[name] for name in ("name", "version", "git_sha", "data_version", "run_id")} | {
        "loaded_at": model.loaded_at,
        "signature": model.signature.describe(),
    }


def _about() -> dict[str, Any]:
    service = _service()
    challenger = service.serving.challenger
    return {
        "workers": service.workers.describe(),
        "servable": servable(),
        "last_refusal": service.serving.last_refusal,
        "challenger": challenger and challenger.challenge.describe(),
        "challenger_refusal": service.serving.challenger_refusal,
        "pin": service.settings.model_pin or None,
        "logs_predictions": service.settings.prediction_log,
    }


def _answer_problem(problem: Problem) -> Response:
    return _response(answer_problem(problem, _record()))


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
    return _response(answer_unexpected(error, _record()))
