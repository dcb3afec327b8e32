"""One request while it is answered."""

import os
import re
import time
from typing import Any

from prediction_api.challenger import CHAMPION
from prediction_api.model import Model
from prediction_api.serving import Serving

#: Where the layers find the record of a request in its WSGI environment.
RECORD = "prediction_api.record"
ROUTES = frozenset(
    {"/predict", "/feedback", "/predictions", "/health", "/ready", "/smoke", "/model"}
    | {"/metrics", "/openapi.json", "/docs"}
)
#: Routes with a part that is free, as they are called in metrics and logs: what they begin with.
NAMED_ROUTES = {"/docs/": "/docs", "/v1/models": "/v1/models", "/predictions/": "/predictions"}
KSERVE_PREDICT = "/v1/models/{name}:predict"
#: Routes that are answered by a model, whichever way it is chosen.
PREDICTS = frozenset({"/predict", KSERVE_PREDICT})
SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

Headers = list[tuple[str, str]]


class Record:
    """One request as it is answered: what the layers below need, and what the log line says."""

    __slots__ = (
        "asked_role",
        "body",
        "client",
        "headers",
        "method",
        "model",
        "request_id",
        "role",
        "route",
        "rows",
        "split_key",
        "started",
        "status",
    )

    def __init__(self, environ: dict[str, Any], serving: Serving) -> None:
        self.started = time.perf_counter()
        path = environ.get("PATH_INFO", "")
        self.route = path if path in ROUTES else _named_route(path)
        self.method = environ["REQUEST_METHOD"][:16]
        self.request_id = _request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        self.asked_role = environ.get("HTTP_X_MODEL_ROLE") if self.route in PREDICTS else CHAMPION
        self.split_key = environ.get("HTTP_X_SPLIT_KEY")
        #: The model this request is answered with, and its role; taken once.
        self.model: Model | None
        self.model, self.role = serving.choose(self.asked_role, self.split_key or self.request_id)
        #: Whose token the client showed; empty where none was asked for.
        self.client = ""
        self.body = b""
        self.rows = 0
        self.status = 500
        self.headers: Headers = []


def _named_route(path: str) -> str:
    """The name of a route that is not in ROUTES; paths of clients must not become labels."""
    if path.startswith("/v1/models/") and path.endswith(":predict"):
        return KSERVE_PREDICT
    return next((name for start, name in NAMED_ROUTES.items() if path.startswith(start)), "other")


def _request_id(given: str) -> str:
    """The client's id if it is short and plain, for it goes into headers and logs; else a new one."""
    return given if SANE_ID.fullmatch(given) else os.urandom(16).hex()
