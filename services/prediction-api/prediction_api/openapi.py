"""The OpenAPI 3.1 document: this API as it is for the model that serves now."""

from http import HTTPStatus
from typing import Any

from prediction_api import schemas
from prediction_api.access import OPEN
from prediction_api.challenger import ROLES
from prediction_api.metrics import MEDIA_TYPE as METRICS
from prediction_api.model import Model
from prediction_api.prediction_log.listing import MOST_ROWS, NAME_LENGTH, ROWS
from prediction_api.problems import KINDS
from prediction_api.problems import MEDIA_TYPE as PROBLEM
from prediction_api.schemas import Schema, ref
from prediction_api.settings import Settings

JSON = "application/json"
#: Headers by name: what they say.
HEADERS = {
    "X-Request-Id": "The client's own, where it is plain and short, or a new one.",
    "X-Model-Name": "The registered model that answered; `none` without one.",
    "X-Model-Version": "Its version.",
    "X-Git-Commit": "The commit of the code that it was trained by.",
    "X-Data-Version": "The version of the data that it was trained on.",
    "X-Model-Role": "`champion` or `challenger`; `none` without a model.",
}
#: Of some problems: a header, what it says, and whether each of their status has it.
PROBLEM_HEADERS = {
    "unauthorized": ("WWW-Authenticate", "What is asked for, RFC 6750.", True),
    "no-model": ("Retry-After", "Seconds until the API has looked at MLflow again.", True),
    "unknown-request": ("Retry-After", "Seconds until what was just answered is written.", False),
    "log-away": ("Retry-After", "Seconds after which to ask again.", True),
}
#: Problems that any request may meet, those of a body, and those of a prediction.
ALWAYS = ("malformed-body", "too-slow", "too-large", "media-type", "unexpected")
PREDICTION = ("unknown-role", "no-challenger", "invalid-instances", "no-model")
#: Of the prediction log. Where two of a status may come, the last one names it: all are problem documents.
LOG = ("log-off", "log-away")


def _matching(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


#: Headers by name: what a prediction may be asked with.
CHOICE = {
    "X-Model-Role": ("Who answers.", {"enum": [*ROLES]}),
    "X-Split-Key": ("Requests of one key are answered by one model.", _matching(r"^[\t -~]*[!-~][\t -~]*$")),
    "X-Request-Id": (
        "An id of the client's own; a new one is made where it is not 1 to 128 letters, digits and . _ : -.",
        {"type": "string"},
    ),
}


def document(model: Model | None, settings: Settings) -> dict[str, Any]:
    """The document; without a model it says so, and leaves open what a row is."""
    components = {
        "schemas": schemas.of_model(model, settings.max_rows) | schemas.fixed(),
        "headers": {name: _header(text) for name, text in HEADERS.items()},
        "responses": {kind: _problem(kind) for kind in KINDS},
    }
    if settings.tokens:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": _info(model, settings),
        "tags": [
            {"name": "Predictions"},
            {"name": "State"},
            {"name": "KServe V1"},
            {"name": "Documentation"},
        ],
        "paths": {path: _secured(path, item, settings) for path, item in _paths(model, settings).items()},
        "components": components,
    }


def _info(model: Model | None, settings: Settings) -> dict[str, Any]:
    serves = "No model serves yet: what a row is, is not known, and predictions are answered 503."
    if model:
        identity = model.identity
        serves = f"**{identity.name}** version {identity.version} serves, code {identity.git_sha[:12]}, "
        serves += f"data {identity.data_version}."
    limits = f"A request holds at most {settings.max_rows} rows and {settings.max_bytes} bytes."
    errors = "Every error is a problem document (RFC 9457) that names what is wrong."
    text = "\n\n".join((serves, f"{limits} {errors}"))
    return {
        "title": "Prediction API",
        "version": model.identity.version if model else "none",
        "description": text,
    }


def _paths(model: Model | None, settings: Settings) -> dict[str, Any]:
    return {
        "/predict": {"post": _predict("predict", "Predict labels", "Predictions", "Body", model, settings)},
        "/feedback": {"post": _feedback()},
        "/predictions": {"get": _newest()},
        "/predictions/{request_id}": {
            "parameters": [_request_id()],
            "get": _get(
                "prediction",
                "What is logged of a request",
                "Predictions",
                _json("Logged"),
                "unknown-request",
                *LOG,
            ),
        },
        "/health": {"get": _get("health", "The process answers", "State", _json("Health"))},
        "/ready": {"get": _get("ready", "A model serves", "State", _json("Ready"), "no-model")},
        "/smoke": {
            "get": _get("smoke", "It predicts its own example", "State", _json("Predictions"), "no-model")
        },
        "/model": {"get": _model_route()},
        "/metrics": {"get": _get("metrics", "Prometheus metrics of all workers", "State", _text(METRICS))},
        "/v1/models": {"get": _get("names", "Names of what serves", "KServe V1", _json("Names"))},
        "/v1/models/{name}": {
            "parameters": [_name(model)],
            "get": _get(
                "modelReady",
                "The model serves",
                "KServe V1",
                _json("ModelReady"),
                "no-such-model",
                "no-model",
            ),
        },
        "/v1/models/{name}:predict": {
            "parameters": [_name(model)],
            "post": _predict("kservePredict", "Predict labels", "KServe V1", "Instances", model, settings),
        },
        "/openapi.json": {
            "get": _get("openapi", "This document", "Documentation", {JSON: {"schema": {"type": "object"}}})
        },
        "/docs": {
            "get": _get("docs", "This document as a page", "Documentation", _text("text/html; charset=utf-8"))
        },
    }


def _predict(
    name: str, summary: str, tag: str, body: str, model: Model | None, settings: Settings
) -> dict[str, Any]:
    kinds = (*ALWAYS, *PREDICTION) if body == "Body" else (*ALWAYS, "no-such-model", *PREDICTION)
    examples = _examples(model, settings) if model else {}
    if body != "Body":
        examples = {key: each for key, each in examples.items() if "instances" in each["value"]}
    content = {"schema": ref(body)} | ({"examples": examples} if examples else {})
    good = {
        "description": "One label for each row.",
        "headers": _headers(*HEADERS),
        "content": _json("Predictions"),
    }
    return {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "parameters": [_choice(header, *described) for header, described in CHOICE.items()],
        "requestBody": {"required": True, "content": {JSON: content}},
        "responses": {"200": good, **_problems(*kinds)},
    }


def _choice(name: str, text: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": text, "schema": schema}


def _feedback() -> dict[str, Any]:
    good = {
        "description": "How many rows are known now, and how many of them the model had right.",
        "headers": _headers("X-Request-Id"),
        "content": _json("Told"),
    }
    return {
        "operationId": "feedback",
        "summary": "Tell the true labels of a request",
        "tags": ["Predictions"],
        "requestBody": {"required": True, "content": _json("Feedback")},
        "responses": {"200": good, **_problems(*ALWAYS, "unknown-request", "invalid-feedback", *LOG)},
    }


def _newest() -> dict[str, Any]:
    name = {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH}
    parameters = {
        "model": ("Of this registered model.", name),
        "version": ("Of this version.", name),
        "since": ("Not older than this.", {"type": "string", "format": "date-time"}),
        "limit": (
            "Rows of the answer; it has fewer where their inputs are large, and says so by `more`.",
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": ROWS},
        ),
    }
    kinds = ("invalid-query", *LOG)
    operation = _get("predictions", "The newest rows of the log", "Predictions", _json("Newest"), *kinds)
    described = [
        {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
        for name, (text, schema) in parameters.items()
    ]
    return operation | {"parameters": described}


def _request_id() -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
    described = {"description": "X-Request-Id of the answer", "schema": schema}
    return {"name": "request_id", "in": "path", "required": True, **described}


def _examples(model: Model, settings: Settings) -> dict[str, Any]:
    """Every form of a body, with rows that the model predicted when it was loaded."""
    rows = list(model.example)[: settings.max_rows]
    ordered = [[row.get(name) for name in model.signature.names] for row in rows]
    forms = {
        "rows by name": {"instances": rows},
        "rows in the order of the columns": {"instances": ordered},
        "a list of rows": rows,
    }
    if not isinstance(rows[0].get("instances"), list):
        forms["one row"] = rows[0]
    return {name: {"summary": name[0].upper() + name[1:], "value": value} for name, value in forms.items()}


def _get(name: str, summary: str, tag: str, content: Schema, *kinds: str) -> dict[str, Any]:
    good = {"description": summary, "headers": _headers("X-Request-Id"), "content": content}
    responses = {"200": good, **_problems(*ALWAYS, *kinds)}
    return {"operationId": name, "summary": summary, "tags": [tag], "responses": responses}


def _model_route() -> dict[str, Any]:
    operation = _get(
        "model", "What serves, what could, and what was refused", "State", _json("Model"), "no-model"
    )
    none = _problem("no-model") | {"content": {PROBLEM: {"schema": ref("NoModel")}}}
    operation["responses"]["503"] = none
    return operation


def _name(model: Model | None) -> dict[str, Any]:
    schema = {"enum": [model.identity.name]} if model else {"type": "string", "pattern": "^[^/:]+$"}
    return {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": schema,
        "description": "Registered model",
    }


def _secured(path: str, item: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The path, its operations asking for a token where the API does."""
    if settings.tokens and path not in OPEN:
        for method in item.keys() & {"get", "post"}:
            item[method]["security"] = [{"token": []}]
            item[method]["responses"] |= _problems("unauthorized")
    return item


def _problems(*kinds: str) -> dict[str, Any]:
    return {
        str(KINDS[kind][0]): {"$ref": f"#/components/responses/{kind}"}
        for kind in sorted(kinds, key=KINDS.get)
    }


def _problem(kind: str) -> dict[str, Any]:
    status, title = KINDS[kind]
    headers = _headers("X-Request-Id")
    if kind in PROBLEM_HEADERS:
        name, text, always = PROBLEM_HEADERS[kind]
        headers[name] = _header(text, always)
    schema = ref("Refused" if kind.startswith("invalid-") else "Problem")
    return {
        "description": f"{HTTPStatus(status).phrase}: {title[0].lower()}{title[1:]}.",
        "headers": headers,
        "content": {PROBLEM: {"schema": schema}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(text: str, always: bool = True) -> dict[str, Any]:
    return {"description": text, "required": always, "schema": {"type": "string"}}


def _json(schema: str) -> Schema:
    return {JSON: {"schema": ref(schema)}}


def _text(media_type: str) -> Schema:
    return {media_type: {"schema": {"type": "string"}}}
