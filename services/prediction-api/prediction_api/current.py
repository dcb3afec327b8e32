"""What a view function of Flask needs of its request and its application."""

from flask import Response, current_app, request

from prediction_api.answers import Answer
from prediction_api.record import RECORD, Record
from prediction_api.service import Service


def record() -> Record:
    """The record of the request that is answered now."""
    return request.environ[RECORD]


def service() -> Service:
    """The service of this application."""
    return current_app.extensions["prediction_api"]


def response(answer: Answer) -> Response:
    """An answer as Flask sends it."""
    return Response(answer.body, answer.status, answer.all_headers)
