"""From decoded JSON to a table of values that fit the model's signature."""

from typing import Any

from prediction_api.problems import Problem
from prediction_api.signature import Column, Signature
from prediction_api.values import BrokenRule, json_name

#: A problem document names at most so many errors; a larger list helps nobody.
MAX_ERRORS = 20
MAX_NAME = 100

Errors = list[dict[str, Any]]


def read_instances(body: Any, signature: Signature, max_rows: int) -> list[Any]:
    """The rows in any of the accepted forms of a body; Problem 422 if there are none or too many."""
    rows = _unwrap(body, signature)
    if not rows:
        raise invalid([_error("instances", "min_rows", None, "at least one row is asked for")])
    if len(rows) > max_rows:
        raise invalid([_error("instances", "max_rows", None, f"at most {max_rows} rows are taken at once")])
    return rows


def validate(rows: list[Any], signature: Signature) -> list[list[Any]]:
    """One list of values per row in the signature's order; Problem 422 names field, rule and row."""
    errors: Errors = []
    table = []
    for number, row in enumerate(rows):
        cells = _cells(row, number, signature, errors)
        table.append([_value(*pair, number, errors) for pair in zip(signature.columns, cells, strict=True)])
        if len(errors) >= MAX_ERRORS:
            break
    if errors:
        raise invalid(errors[:MAX_ERRORS])
    return table


def invalid(errors: Errors) -> Problem:
    """Problem 422 whose detail is the first error."""
    first = errors[0]
    place = "" if first["row"] is None else f" in row {first['row']}"
    return Problem("invalid-instances", f"{first['field']}{place}: {first['detail']}.", {"errors": errors})


def _unwrap(body: Any, signature: Signature) -> list[Any]:
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        raise invalid(
            [_error("body", "form", None, f"an object or a list is asked for, not {json_name(body)}")]
        )
    instances = body.get("instances")
    if "instances" not in body or ("instances" in signature.names and not isinstance(instances, list)):
        return [body]
    if not isinstance(instances, list):
        raise invalid([_error("instances", "list", None, f"a list is asked for, not {json_name(instances)}")])
    if len(body) > 1:
        extra = next(name for name in body if name != "instances")
        raise invalid([_error(extra, "unknown", None, "nothing is taken beside instances")])
    return instances


def _cells(row: Any, number: int, signature: Signature, errors: Errors) -> list[Any]:
    """The row's values in order; an absent row is a row of `...`, which asks no further questions."""
    if type(row) is dict:
        return _named_cells(row, number, signature, errors)
    if type(row) is list and len(row) == len(signature.columns):
        return row
    if type(row) is list:
        detail = f"{len(signature.columns)} values are asked for, not {len(row)}"
        errors.append(_error("instances", "length", number, detail))
    else:
        detail = f"a list or an object is asked for, not {json_name(row)}"
        errors.append(_error("instances", "row", number, detail))
    return [...] * len(signature.columns)


def _named_cells(row: dict[str, Any], number: int, signature: Signature, errors: Errors) -> list[Any]:
    names = signature.names
    if row.keys() == names.keys():
        return [row[name] for name in names]
    for name in row:
        if name not in names:
            errors.append(_error(name, "unknown", number, "the model has no such column"))
    for name, column in names.items():
        if column.required and name not in row:
            errors.append(_error(name, "required", number, "the column is missing"))
    return [row.get(name, ... if column.required else None) for name, column in names.items()]


def _value(column: Column, cell: Any, number: int, errors: Errors) -> Any:
    if cell is ...:
        return None
    if cell is None:
        if column.required:
            errors.append(_error(column.name, "required", number, "a value is asked for, not null"))
        return None
    try:
        return column.kind.convert(cell)
    except BrokenRule as broken:
        detail = f"{broken.asks} is asked for"
        if broken.rule not in {"range", "unicode"}:
            detail += f", not {json_name(cell)}"
        errors.append(_error(column.name, broken.rule, number, detail))
        return None


def _error(field: str, rule: str, row: int | None, detail: str) -> dict[str, Any]:
    return {"field": field[:MAX_NAME], "rule": rule, "row": row, "detail": detail}
