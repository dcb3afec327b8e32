"""The Flask application."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from ci.queue import BuildQueue
from ci.repositories import Repositories
from ci.settings import ServerSettings
from ci.statuses import Statuses
from ci.store import Store

BODY_LIMIT = 4_000_000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Ci:
    """What the routes work with."""

    settings: ServerSettings
    store: Store
    statuses: Statuses
    repositories: Repositories
    queue: BuildQueue


def create_app(settings: ServerSettings) -> Flask:
    """The application with its database made; its queue has still to be started."""
    from ci import pages, status_api, webhook

    store = Store(settings.database)
    store.create()
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.extensions["ci"] = Ci(
        settings, store, Statuses(store), Repositories(settings.git_root), BuildQueue(settings, store)
    )
    for module in (webhook, status_api, pages):
        app.register_blueprint(module.blueprint)
    if settings.git_http:
        host_repositories(app, settings)
    app.register_error_handler(HTTPException, explain)
    app.register_error_handler(sqlite3.Error, explain_database)
    app.after_request(add_headers)
    return app


def host_repositories(app: Flask, settings: ServerSettings) -> None:
    """Serve Git over HTTP and let repositories be made."""
    from ci import git_http, gitea_api
    from ci.hosting import Hosting

    for module in (gitea_api, git_http):
        app.register_blueprint(module.blueprint)
    Hosting(settings).prepare()


def explain(error: HTTPException) -> tuple[Response, int, list[tuple[str, str]]]:
    """Errors as JSON: one sentence in `message`; their headers (Allow, Retry-After) stay."""
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    body = jsonify(message=f"{error.name}: {error.description}", url=request.base_url)
    return body, error.code or 500, headers


def explain_database(error: sqlite3.Error) -> tuple[Response, int]:
    """A database that does not answer is no reason for a traceback."""
    return jsonify(message=f"The database of CI does not answer: {error}.", url=request.base_url), 503


def add_headers(response: Response) -> Response:
    """Nothing here loads anything or is loaded by anything."""
    response.headers.extend(HEADERS)
    return response
