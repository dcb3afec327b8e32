"""The routes of KServe's V1 protocol, for clients that speak it. A prediction is that of /predict."""

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.routing import BaseConverter

from prediction_api import current
from prediction_api.answers import answer_predict, served
from prediction_api.model import Model
from prediction_api.problems import Problem

blueprint = Blueprint("kserve", __name__, url_prefix="/v1/models")


class ModelName(BaseConverter):
    """A registered model's name: MLflow takes none with a slash or a colon."""

    regex = "[^/:]+"


@blueprint.get("")
def names() -> Response:
    """The names of what serves: one, or none."""
    model = current.record().model
    return jsonify(models=[model.identity.name] if model else [])


@blueprint.get("/<model_name:name>")
def ready(name: str) -> Response:
    """Say that the model of this name serves."""
    return jsonify(name=_of_name(name).identity.name, ready=True)


@blueprint.post("/<model_name:name>:predict")
def predict(name: str) -> Response:
    """What /predict answers, where the model of this name serves."""
    _of_name(name)
    answer = answer_predict(current.record(), request.environ.get("CONTENT_TYPE", ""), current.service())
    return current.response(answer)


def register(app: Flask) -> None:
    """Give the application these routes."""
    app.url_map.converters["model_name"] = ModelName
    app.register_blueprint(blueprint)


def _of_name(name: str) -> Model:
    """The model of this request; Problem 503 without one, 404 where it has another name."""
    model = served(current.record(), current.service())
    if model.identity.name != name:
        raise Problem("no-such-model", f"The model that serves is {model.identity.name}.")
    return model
