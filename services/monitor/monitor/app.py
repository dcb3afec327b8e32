"""The routes: the inbox as a page and as JSON, Alertmanager's webhook, metrics, health."""

import time
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from monitor.events import CELEBRATES, EVENTS, FAILS, REJECTS, SERVES
from monitor.inbox import MOST_BYTES, TOLD_AGAIN, Unreadable, firing, receive, utc
from monitor.metrics import LoopMetrics
from monitor.registry import SERVED
from monitor.store import Document, Store
from monitor.watch import SERVICES, UP, Watch

SHOWN = 200  # messages on the page
POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# The colour of a message: of an event by its name, of an alert by its state and severity.
TONES = {SERVES: "good", CELEBRATES: "good", REJECTS: "warning", FAILS: "critical"}
AGES = ((86_400, "d"), (3600, "h"), (60, "min"))

Answer = Response | tuple[Response, int]


def create_app(store: Store, watch: Watch) -> Flask:
    """The application around a store and the watch that fills it."""
    app = Flask("monitor")
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(LoopMetrics(store, lambda: watch.looked))
    app.after_request(_guarded)
    app.add_template_filter(tone)
    app.add_template_filter(ago)

    @app.get("/")
    def page() -> str:
        name = request.args.get("name", "")
        everything = store.messages()
        shown = [message for message in everything if name in ("", message["name"])][:SHOWN]
        names = sorted({message["name"] for message in everything})
        context = {"served": store.known(SERVED), "up": store.known(UP) or {}, "services": SERVICES}
        return render_template(
            "inbox.html",
            messages=shown,
            names=names,
            chosen=name,
            firing=firing(store.messages(told_since=time.time() - TOLD_AGAIN)),
            **context,
        )

    @app.get("/messages")
    def messages() -> Answer:
        try:
            since = utc(request.args["since"]) if request.args.get("since") else ""
        except (ValueError, OverflowError):
            return jsonify(error="Give `since` as ISO 8601, such as 2026-01-31T12:00:00Z."), 400
        return jsonify(messages=store.messages(request.args.get("name", ""), since))

    @app.post("/alerts")
    def alerts() -> Answer:
        # A page of another site can send anything but this type without asking first.
        if request.mimetype != "application/json":
            return jsonify(error="Send Alertmanager's webhook as application/json."), 415
        try:
            return jsonify(kept=receive(store, request.get_json(silent=True)))
        except Unreadable as error:
            return jsonify(error=str(error)), 400

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    @app.get("/health")
    def health() -> Answer:
        about: dict[str, Any] = {"looked": watch.looked, "watches": watch.alive}
        return jsonify(about), 200 if watch.alive else 503

    return app


def tone(message: Document) -> str:
    """The colour that a message has."""
    if message["name"] in EVENTS:
        return TONES.get(message["name"], "info")
    if message["status"] == "resolved":
        return "good"
    return message["severity"] if message["severity"] in ("critical", "warning") else "info"


def ago(moment: str) -> str:
    """How long ago a moment (ISO 8601) was, in words."""
    passed = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    return next((f"{passed // unit:.0f} {word} ago" for unit, word in AGES if passed >= unit), "just now")


def _guarded(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
