"""The outermost layer: reads the body, labels every answer, counts it and logs one line.

It is WSGI, not Flask, so that whatever answers a request below it is seen the same way.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from prediction_api import logs
from prediction_api.access import Access
from prediction_api.body import drain, read_body
from prediction_api.identity import NONE, model_headers
from prediction_api.metrics import Metrics
from prediction_api.problems import MEDIA_TYPE, Problem, document
from prediction_api.record import PREDICTS, RECORD, Headers, Record
from prediction_api.serving import Serving
from prediction_api.settings import Settings

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Observation:
    """A WSGI application around another one."""

    def __init__(
        self,
        application: Application,
        serving: Serving,
        metrics: Metrics,
        settings: Settings,
    ) -> None:
        self._application = application
        self._serving = serving
        self._metrics = metrics
        self._max_bytes = settings.max_bytes
        self._seconds = settings.body_seconds
        access = Access(settings.tokens)
        #: None where nobody is asked for a token, which then costs nothing.
        self._access = access if access.asks else None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer one request."""
        record = Record(environ, self._serving)
        self._metrics.in_flight.inc()
        try:
            answer = self._answer(environ, record)
        finally:
            self._metrics.in_flight.dec()
        self._report(record)
        start_response(f"{record.status} ", _labelled(record))
        return [answer]

    def _answer(self, environ: dict[str, Any], record: Record) -> bytes:
        environ[RECORD] = record
        try:
            if self._access:
                record.client = self._admit(self._access, environ)
            record.body = read_body(environ, self._max_bytes, self._seconds)
        except Problem as problem:
            record.status = problem.status
            record.headers = [("Content-Type", MEDIA_TYPE), *problem.headers]
            return document(problem, record.request_id)
        return self._call(environ, record)

    def _admit(self, access: Access, environ: dict[str, Any]) -> str:
        """Whose token it is; the body of somebody unknown is thrown away."""
        try:
            return access.client(environ, environ.get("PATH_INFO", ""))
        except Problem:
            drain(environ["wsgi.input"])
            raise

    def _call(self, environ: dict[str, Any], record: Record) -> bytes:
        def start(status: str, headers: Headers, _: Any = None) -> None:
            record.status, record.headers = int(status[:3]), headers

        pieces = self._application(environ, start)
        try:
            return b"".join(pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _report(self, record: Record) -> None:
        seconds = time.perf_counter() - record.started
        self._metrics.requests_of(record.route, record.status).inc()
        self._metrics.seconds_of(record.route).observe(seconds)
        identity = record.model.identity if record.model else None
        logs.write(
            "error" if record.status == 500 else "info",
            "request",
            request_id=record.request_id,
            method=record.method,
            route=record.route,
            status=record.status,
            ms=round(seconds * 1000, 3),
            rows=record.rows,
            role=record.role,
            model_version=identity and identity.version,
            git_sha=identity and identity.git_sha,
            **({"client": record.client} if record.client else {}),
        )


def _labelled(record: Record) -> Headers:
    headers = [*record.headers, ("X-Request-Id", record.request_id)]
    if record.route in PREDICTS:
        headers += record.model.headers if record.model else model_headers()
        headers.append(("X-Model-Role", record.role if record.model else NONE))
    return headers
