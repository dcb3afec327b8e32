"""POST /predict answered in front of Flask, whose routing and request objects cost more than a prediction.

Everything else, other methods and protocols of /predict too, goes to Flask. Both ways send what `answers`
gives.
"""

from collections.abc import Callable
from typing import Any

from prediction_api.answers import Answer, answer_predict, answer_problem, answer_unexpected
from prediction_api.problems import Problem
from prediction_api.record import RECORD, Record
from prediction_api.service import Service


class FastPath:
    """A WSGI application around Flask's."""

    def __init__(self, application: Callable[..., Any], service: Service) -> None:
        self._application = application
        self._service = service

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer the request, or have it answered."""
        asked = environ["REQUEST_METHOD"], environ.get("PATH_INFO")
        # Flask refuses WebSockets.
        if asked != ("POST", "/predict") or "HTTP_UPGRADE" in environ:
            return self._application(environ, start_response)
        answer = self._answer(environ[RECORD], environ.get("CONTENT_TYPE", ""))
        start_response(f"{answer.status} ", answer.all_headers)
        return (answer.body,)

    def _answer(self, record: Record, content_type: str) -> Answer:
        try:
            return answer_predict(record, content_type, self._service)
        except Problem as problem:
            return answer_problem(problem, record)
        except Exception as error:
            return answer_unexpected(error, record)
