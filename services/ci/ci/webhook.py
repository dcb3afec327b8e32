"""Route of the webhook: Gitea's push in, the answer of Jenkins' generic-webhook-trigger out."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response, jsonify, request

from ci import signature
from ci.app import Ci
from ci.errors import GitError, PayloadError, UnknownRepository
from ci.push import Push, parse_push
from ci.routes import here

LOG = logging.getLogger(__name__)
blueprint = Blueprint("webhook", __name__)


@blueprint.post("/generic-webhook-trigger/invoke")
def invoke() -> tuple[Response, int]:
    """Queue the build of a signed push; the same push again gets the same answer."""
    ci = here()
    body = request.get_data()
    if not signature.is_signed(ci.settings.webhook_secret, body, request.headers.get(signature.HEADER, "")):
        LOG.warning("refused a delivery: %s is wrong or missing", signature.HEADER)
        return answer(f"The header {signature.HEADER} is wrong or missing; check CI_WEBHOOK_SECRET.", 403)
    event = request.headers.get("X-Gitea-Event", "push")
    if event != "push":
        return answer(f"The event {event[:50]!r} starts no build, only push does.", 200)
    try:
        push = parse_push(body, ci.settings.organisation)
        return accept(ci, push)
    except PayloadError as error:
        return answer(str(error), 400)
    except UnknownRepository as error:
        return answer(str(error), 404)


def accept(ci: Ci, push: Push) -> tuple[Response, int]:
    """Queue the push where it is one to build. Raises PayloadError or UnknownRepository."""
    if push.owner != ci.settings.organisation:
        raise UnknownRepository(f"There is no organisation {push.owner[:100]!r} here.")
    ci.repositories.path(push.repository)
    reason = push.reason_not_to_build()
    if reason:
        return answer(reason, 200, {push.repository: {"triggered": False, "reason": reason}})
    try:
        build = ci.queue.submit(
            push.repository, push.ref, push.after, request.headers.get("X-Gitea-Delivery", "")
        )
    except GitError as error:
        raise PayloadError(
            f"The field after names a commit that {push.repository} does not have: {push.after}."
        ) from error
    url = ci.settings.build_url(build.repository, build.number)
    job = {"triggered": True, "id": build.number, "url": url}
    return answer("Triggered jobs.", 200, {build.repository: job})


def answer(message: str, status: int, jobs: dict[str, Any] | None = None) -> tuple[Response, int]:
    """The shape every answer has."""
    return jsonify(jobs=jobs or {}, message=message), status
