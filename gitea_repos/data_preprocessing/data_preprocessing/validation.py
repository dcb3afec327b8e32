"""Check a typed table by the rules in params.yaml and report every breach, not the first alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa

from data_preprocessing.params import Column, Params

EXAMPLES = 20
LONGEST_VALUE = 100


@dataclass(frozen=True)
class Breach:
    """One rule broken once. `column` is None for the table, `row` is the line in the raw file."""

    column: str | None
    rule: str
    limit: object
    row: int | None
    value: object


def check_columns(table: pd.DataFrame, params: Params) -> list[Breach]:
    """Return every breach of the columns' rules: present, unexpected, nulls, unique, min, max, allowed."""
    schema = pa.DataFrameSchema(
        {name: _build_column(column) for name, column in params.columns.items()},
        strict=params.rules.unexpected_columns == "refuse",
    )
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        return [_read_case(case, params) for case in error.failure_cases.itertuples()]
    return []


def check_table(before: pd.DataFrame, copies: int, after: pd.DataFrame, params: Params) -> Iterator[Breach]:
    """Yield every breach of the table's rules: copies count in the raw table, the rest in the cleaned one."""
    rules, target = params.rules, params.dataset.target
    if copies / len(before) > rules.max_duplicate_share:
        yield Breach(
            None, "max_duplicate_share", rules.max_duplicate_share, None, round(copies / len(before), 4)
        )
    if len(after) < rules.min_rows:
        yield Breach(None, "min_rows", rules.min_rows, None, len(after))
    if target in after and len(after):
        yield from _check_classes(after[target], params)


def summarise(breaches: list[Breach]) -> list[dict]:
    """Return one entry per column and rule, in the order of params.yaml, with rows and values as examples."""
    entries: dict[tuple, dict] = {}
    for breach in breaches:
        key = (breach.column, breach.rule, str(breach.limit), breach.row is None and str(breach.value))
        entry = entries.setdefault(key, _start_entry(breach))
        entry["count"] += 1
        if len(entry["examples"]) < EXAMPLES:
            entry["examples"].append({"row": breach.row, "value": _shorten(breach.value)})
    return list(entries.values())


def explain(entries: list[dict]) -> str:
    """Return one sentence with the first column and rule, its value and rows, and how many more there are."""
    first, *more = entries
    rows = [str(example["row"]) for example in first["examples"] if example["row"] is not None]
    value = first["examples"][0]["value"]
    subject = f"column {first['column']}" if first["column"] else "the table"
    limit = "" if first["limit"] is None else f" {first['limit']}"
    seen = "" if value is None else f" with {value!r}"
    where = (
        f" in line {rows[0]}" + (f" and {first['count'] - 1} more" if len(rows) > 1 else "") if rows else ""
    )
    rest = (
        f"; {len(more)} more rule{'s are' if len(more) > 1 else ' is'} broken (validation.json)"
        if more
        else ""
    )
    return f"Validation: {subject} breaks rule {first['rule']}{limit}{seen}{where}{rest}."


def _build_column(column: Column) -> pa.Column:
    checks = [_build_check(rule, limit) for rule, limit in _list_limits(column)]
    return pa.Column(checks=checks, nullable=column.nulls != "refuse", unique=column.unique)


def _list_limits(column: Column) -> list[tuple[str, object]]:
    limits = (("min", column.min), ("max", column.max), ("allowed", column.allowed))
    return [(rule, limit) for rule, limit in limits if limit is not None]


def _build_check(rule: str, limit) -> pa.Check:
    return {"min": pa.Check.ge, "max": pa.Check.le, "allowed": pa.Check.isin}[rule](limit)


def _read_case(case, params: Params) -> Breach:
    """Translate a row of pandera's failure cases; it numbers the checks of a column from 0."""
    if case.check == "column_in_dataframe":
        return Breach(case.failure_case, "present", None, None, None)
    if case.check == "column_in_schema":
        return Breach(case.failure_case, "unexpected", None, None, None)
    row, value = int(case.index), case.failure_case
    value = value.item() if hasattr(value, "item") else value  # numpy's numbers are not JSON
    if case.check == "not_nullable":
        return Breach(case.column, "nulls", "refuse", row, None)
    if case.check == "field_uniqueness":
        return Breach(case.column, "unique", None, row, value)
    rule, limit = _list_limits(params.columns[case.column])[int(case.check_number)]
    return Breach(case.column, rule, limit, row, value)


def _check_classes(target: pd.Series, params: Params) -> Iterator[Breach]:
    rules, name = params.rules, params.dataset.target
    counts = target.value_counts()
    for label in params.columns[name].allowed or sorted(counts.index):
        rows = int(counts.get(label, 0))
        if rows < rules.min_class_rows:
            yield Breach(name, "min_class_rows", rules.min_class_rows, None, f"{label}: {rows} rows")
        if rows / len(target) < rules.min_class_share:
            share = rows / len(target)
            yield Breach(name, "min_class_share", rules.min_class_share, None, f"{label}: {share:.4f}")


def _shorten(value: object) -> object:
    return (
        value[: LONGEST_VALUE - 1] + "…" if isinstance(value, str) and len(value) > LONGEST_VALUE else value
    )


def _start_entry(breach: Breach) -> dict:
    return {"column": breach.column, "rule": breach.rule, "limit": breach.limit, "count": 0, "examples": []}
