"""GET /openapi.json, and GET /docs, which shows it in Swagger UI: files of this process, no other host."""

import json
from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, send_file

from prediction_api import current
from prediction_api.openapi import document
from prediction_api.problems import Problem

blueprint = Blueprint("docs", __name__)

OWN = Path(__file__).with_name("page")
SWAGGER_UI = Path(str(files("flask_swagger_ui"))) / "dist"
ASSETS = {
    **{name: OWN / name for name in ("page.js", "page.css")},
    **{name: SWAGGER_UI / name for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")},
}
#: The browser itself sees to it that the page asks nobody else. Swagger UI's style sheet holds its pictures.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CACHE_SECONDS = 3600


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The document of what serves now."""
    # Not jsonify, which sorts: columns are shown in the model's order.
    text = json.dumps(document(current.record().model, current.service().settings))
    return Response(text, content_type="application/json")


@blueprint.get("/docs")
def page() -> Response:
    """The page."""
    return _guarded(send_file(OWN / "index.html"))


@blueprint.get("/docs/<name>")
def asset(name: str) -> Response:
    """A file of the page."""
    if name not in ASSETS:
        raise Problem("not-found", "The page has no such file; the page is /docs.")
    return _guarded(send_file(ASSETS[name], max_age=CACHE_SECONDS))


def _guarded(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
