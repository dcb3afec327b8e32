"""Every error answer is a problem document, RFC 9457."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"

#: Slug to status and title; the slug ends the document's `type`.
KINDS = {
    "malformed-body": (400, "The body is not readable JSON"),
    "unknown-key": (400, "The split key cannot be read"),
    "unknown-role": (400, "There is no such role"),
    "unauthorized": (401, "A token is asked for"),
    "not-found": (404, "There is no such route"),
    "no-such-model": (404, "No model of this name is served"),
    "no-challenger": (404, "There is no challenger"),
    "log-off": (404, "Predictions are not logged here"),
    "unknown-request": (404, "The log has no such request"),
    "method-not-allowed": (405, "The route does not know this method"),
    "too-slow": (408, "The body did not come in time"),
    "too-large": (413, "The body is too large"),
    "media-type": (415, "The body must be JSON"),
    "invalid-instances": (422, "The instances do not fit the model"),
    "invalid-feedback": (422, "The labels do not fit the request"),
    "invalid-query": (422, "The parameters cannot be used"),
    "unexpected": (500, "The service failed unexpectedly"),
    "no-model": (503, "No model is served yet"),
    "log-away": (503, "The prediction log does not answer"),
}


@dataclass(eq=False)
class Problem(Exception):
    """A request that gets an error answer: kind, one sentence, and what the kind adds to the document."""

    kind: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return KINDS[self.kind][0]


def document(problem: Problem, request_id: str) -> bytes:
    """The problem as JSON bytes."""
    status, title = KINDS[problem.kind]
    return _encode(
        f"urn:prediction-api:{problem.kind}", title, status, problem.detail, request_id, problem.members
    )


def http_document(status: int, detail: str, request_id: str) -> bytes:
    """A status without a kind of its own, in the same form."""
    return _encode("about:blank", HTTPStatus(status).phrase, status, detail, request_id, {})


def _encode(
    kind: str, title: str, status: int, detail: str, request_id: str, members: dict[str, Any]
) -> bytes:
    fields = {"type": kind, "title": title, "status": status, "detail": detail, "request_id": request_id}
    return json.dumps(fields | members).encode()
