"""The answer to a request as status, headers and body: what Flask and the fast path both send."""

import math
from dataclasses import dataclass

from prediction_api import logs, problems
from prediction_api.body import check_media_type
from prediction_api.challenger import CHALLENGER, ROLES
from prediction_api.model import Model, predict_body
from prediction_api.problems import Problem
from prediction_api.record import Headers, Record
from prediction_api.service import Service


@dataclass(frozen=True)
class Answer:
    """What goes back to the client, but for the headers that every answer carries."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def all_headers(self) -> Headers:
        """The headers in the order in which Flask gives them."""
        length = str(len(self.body))
        return [*self.headers, ("Content-Type", self.media_type), ("Content-Length", length)]


def answer_predict(record: Record, content_type: str, service: Service) -> Answer:
    """Predict the instances in the body; Problem says why not."""
    check_media_type(content_type)
    check_choice(record)
    model = served(record, service)
    predictions, body = predict_body(model, record.body, service.settings.max_rows)
    record.rows = len(predictions)
    service.count(model, predictions)
    service.log_prediction(record, model, predictions)
    return Answer(200, body)


def check_choice(record: Record) -> None:
    """Problem 400 where X-Model-Role names neither of the two, or X-Split-Key cannot be told apart."""
    if record.split_key == "":  # what the server makes of a header that is not visible ASCII
        raise Problem("unknown-key", "X-Split-Key must be visible ASCII, or be left out.")
    if record.asked_role is not None and record.asked_role not in ROLES:
        raise Problem("unknown-role", f"X-Model-Role must be {' or '.join(ROLES)}, or be left out.")


def served(record: Record, service: Service) -> Model:
    """The model of this request; Problem 503 without one."""
    if record.model is None and record.role == CHALLENGER:
        raise Problem("no-challenger", "MLflow names no challenger that could be served; see /model.")
    if record.model is None:
        seconds = str(math.ceil(service.settings.poll_seconds))
        empty = "MLflow has no champion that could be served; see last_refusal of /model."
        raise Problem("no-model", service.serving.away or empty, headers=(("Retry-After", seconds),))
    return record.model


def answer_problem(problem: Problem, record: Record) -> Answer:
    """The problem document."""
    body = problems.document(problem, record.request_id)
    return Answer(problem.status, body, problems.MEDIA_TYPE, tuple(problem.headers))


def answer_unexpected(error: Exception, record: Record) -> Answer:
    """The problem document of a failure nobody foresaw; the log has the rest."""
    message = f"{type(error).__name__}: {error}"
    logs.write("error", "unexpected", request_id=record.request_id, message=message, trace=logs.trace(error))
    problem = Problem("unexpected", "The log has a line with this request_id that says more.")
    return answer_problem(problem, record)
