"""JSON Schemas of what a request may be and what is answered, made of the served model's signature."""

from typing import Any

from prediction_api.challenger import ROLES, SHADOW
from prediction_api.model import MAX_COUNTED_CLASSES, Model
from prediction_api.problems import KINDS
from prediction_api.signature import Column, Signature
from prediction_api.values import FLOAT32_MAX, FLOAT64_MAX

Schema = dict[str, Any]

#: By the type of a column: what validation takes.
VALUES: dict[str, Schema] = {
    "double": {"type": "number", "exclusiveMinimum": -FLOAT64_MAX, "exclusiveMaximum": FLOAT64_MAX},
    "float": {"type": "number", "exclusiveMinimum": -FLOAT32_MAX, "exclusiveMaximum": FLOAT32_MAX},
    "long": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "integer": {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
}
RULES = (
    *("form", "list", "min_rows", "max_rows", "row", "length", "required", "unknown"),
    *("number", "integer", "range", "string", "unicode", "boolean", "model", "time"),
)
SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
#: A true label; null where it is not known.
LABEL: Schema = {"anyOf": [SCALAR, {"type": "array", "items": SCALAR}]}
ANYTHING: Schema = {"description": "A JSON value; what the model trained with."}
TEXT: Schema = {"type": "string"}
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
MODES = ("split", "shadow")


def ref(name: str) -> Schema:
    """A schema of the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def of_model(model: Model | None, max_rows: int) -> dict[str, Schema]:
    """The schemas that depend on what serves; without a model anything may be asked, and nothing is known."""
    signature = model.signature if model else Signature(())
    return {
        "Record": _record(signature) if model else {"type": "object", "title": "One row by name"},
        "Values": _values(signature) if model else {"type": "array", "title": "One row in order"},
        "Rows": {
            "type": "array",
            "items": {"anyOf": [ref("Record"), ref("Values")]},
            "minItems": 1,
            "maxItems": max_rows,
        },
        "Instances": _closed({"instances": ref("Rows")}),
        "Body": {"anyOf": [ref("Instances"), ref("Rows"), ref("Record")]},
        "Predictions": _closed({"predictions": _predictions(model, max_rows)}),
    }


def fixed() -> dict[str, Schema]:
    """The schemas that are the same for every model."""
    return {
        "Problem": _problem(),
        "Refused": _refused(),
        "Health": _closed({"status": {"const": "ok"}}),
        "Ready": _closed({"status": {"const": "ready"}, "name": TEXT, "version": TEXT}),
        "Model": _model(),
        "NoModel": {
            "allOf": [ref("Problem"), {"type": "object", "properties": _about(), "required": [*_about()]}]
        },
        "Names": _closed({"models": {"type": "array", "items": TEXT, "maxItems": 1}}),
        "Feedback": _closed({"request_id": TEXT, "labels": {"type": "array", "items": LABEL}}),
        "Told": _closed(
            {
                **{"request_id": TEXT, "model": TEXT, "version": TEXT},
                **{"rows": {"type": "integer"}, "correct": {"type": "integer"}},
            }
        ),
        "Logged": _closed({"request_id": TEXT, "answers": {"type": "array", "items": _answer()}}),
        "Newest": _closed({"rows": {"type": "array", "items": _logged_row()}, "more": {"type": "boolean"}}),
        "ModelReady": _closed({"name": TEXT, "ready": {"const": True}}),
    }


def _closed(properties: dict[str, Schema], optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object with these members and no others."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    } | more


def _cell(column: Column) -> Schema:
    schema = VALUES[column.type]
    return schema if column.required else schema | {"type": [schema["type"], "null"]}


def _record(signature: Signature) -> Schema:
    cells = {column.name: _cell(column) for column in signature.columns}
    optional = tuple(column.name for column in signature.columns if not column.required)
    return _closed(cells, optional, title="One row by name")


def _values(signature: Signature) -> Schema:
    size = len(signature.columns)
    cells = [_cell(column) | {"title": column.name} for column in signature.columns]
    sized = {"prefixItems": cells, "items": False, "minItems": size, "maxItems": size}
    return {"type": "array", "title": "One row in the order of the columns"} | sized


def _predictions(model: Model | None, max_rows: int) -> Schema:
    classes = list(model.counted) if model else []
    # The list of classes is cut at so many: then a label may be one that is not on it.
    label: Schema = {"enum": classes} if 0 < len(classes) < MAX_COUNTED_CLASSES else ANYTHING
    described = "The label of each row, in the rows' order."
    return {"type": "array", "items": label, "minItems": 1, "maxItems": max_rows, "description": described}


def _problem() -> Schema:
    kinds = [f"urn:prediction-api:{kind}" for kind in KINDS]
    return {
        "type": "object",
        "title": "Problem document (RFC 9457)",
        "properties": {
            "type": {"enum": [*kinds, "about:blank"]},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT | {"description": "What is wrong, and how to mend it."},
            "request_id": TEXT | {"description": "As in the header X-Request-Id and in the log."},
        },
        "required": ["type", "title", "status", "detail", "request_id"],
    }


def _refused() -> Schema:
    error = _closed(
        {
            "field": TEXT,
            "rule": {"enum": RULES},
            "row": {"type": ["integer", "null"], "description": "Counted from 0."},
            "detail": TEXT,
        }
    )
    errors = {"errors": {"type": "array", "items": error, "minItems": 1, "maxItems": 20}}
    return {"allOf": [ref("Problem"), {"type": "object", "properties": errors, "required": ["errors"]}]}


def _model() -> Schema:
    column = _closed({"name": TEXT, "type": {"enum": [*VALUES]}, "required": {"type": "boolean"}})
    named = {name: TEXT for name in ("name", "version", "git_sha", "data_version", "run_id", "loaded_at")}
    own = {"signature": {"type": "array", "items": column}, "source": {"enum": ["mlflow", "copy"]}}
    return {
        "type": "object",
        "properties": named | own | _about(),
        "required": [*named, *own, *_about()],
    }


def _answer() -> Schema:
    """What was answered to a request, as the log has it."""
    row = {
        "row": {"type": "integer", "description": "Counted from 0."},
        "inputs": {"type": "object", "description": "Masked columns read ***."},
        "prediction": ANYTHING,
        "confidence": {"type": ["number", "null"]},
        "label": ANYTHING,
        "correct": {"type": "boolean"},
    }
    about = {name: TEXT for name in ("at", "model", "version", "git_sha", "data_version")}
    rows = {"type": "array", "items": _closed(row, optional=("label", "correct"))}
    return _closed({**about, "role": {"enum": [*ROLES, SHADOW]}, "ms": {"type": "number"}, "rows": rows})


def _logged_row() -> Schema:
    """One row of the log by itself."""
    row = {
        **{name: TEXT for name in ("at", "model", "version")},
        "role": {"enum": [*ROLES, SHADOW]},
        "inputs": {"type": "object", "description": "Masked columns read ***."},
        "prediction": ANYTHING,
        "confidence": {"type": ["number", "null"]},
        "label": ANYTHING,
    }
    return _closed(row, optional=("label",))


def _challenge() -> Schema:
    about = {name: TEXT for name in ("name", "version", "git_sha", "data_version")}
    return _closed(about | {"percent": {"type": "number"}, "mode": {"enum": [*MODES]}})


def _about() -> dict[str, Schema]:
    worker = {"pid": {"type": "integer"}, "name": NULLABLE_TEXT, "version": NULLABLE_TEXT}
    worker["challenger"] = NULLABLE_TEXT
    worker["challenger_percent"] = {"type": ["number", "null"]}
    worker["challenger_mode"] = {"enum": [*MODES, None]}
    refusal = {"name": NULLABLE_TEXT, "version": NULLABLE_TEXT, "reason": TEXT, "at": TEXT}
    servable = {
        "libraries": {"type": "object", "additionalProperties": TEXT},
        "types": {"type": "array", "items": TEXT},
    }
    return {
        "workers": {
            "type": "array",
            "items": {"type": "object", "properties": worker, "required": [*worker]},
        },
        "servable": {"type": "object", "properties": servable, "required": [*servable]},
        "last_refusal": {"type": ["object", "null"], "properties": refusal, "required": [*refusal]},
        "challenger": {"anyOf": [_challenge(), {"type": "null"}]},
        "challenger_refusal": {"type": ["object", "null"], "properties": refusal, "required": [*refusal]},
        "pin": NULLABLE_TEXT,
        "logs_predictions": {"type": "boolean"},
    }
