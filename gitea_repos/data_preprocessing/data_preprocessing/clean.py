"""Stage `clean`: data/raw.csv to data/clean.parquet, or a report of every rule that the raw table breaks."""

import pandas as pd

from data_preprocessing import layout
from data_preprocessing.cleaning import drop_copies, drop_nulls, give_types
from data_preprocessing.console import say
from data_preprocessing.errors import Rejected
from data_preprocessing.params import Params, load_params
from data_preprocessing.reading import read_csv
from data_preprocessing.stage import run_stage
from data_preprocessing.tables import build_arrow, write_table
from data_preprocessing.validation import Breach, check_columns, check_table, explain, summarise


def clean_raw() -> None:
    """Write the cleaned table and both reports; raise Rejected when the raw table breaks a rule."""
    params = load_params()
    try:
        raw = read_csv(params.raw)
    except Rejected as error:
        _report([{"column": None, "rule": "readable", "limit": None, "count": 1, "examples": []}], str(error))
        raise
    table, counts, breaches = _clean(raw, params)
    entries = summarise(breaches)
    _report(entries, explain(entries) if entries else "Every rule is kept.")
    if entries:
        raise Rejected(explain(entries))
    write_table(build_arrow(table, params), layout.CLEAN)
    layout.write_json(layout.CLEANING, counts)
    say(f"clean: {counts['rows_raw']:,} raw rows, {counts['rows_clean']:,} kept")


def _clean(raw: pd.DataFrame, params: Params) -> tuple[pd.DataFrame, dict[str, int], list[Breach]]:
    typed, breaches = give_types(raw, params)
    wrong = {(breach.column, breach.row) for breach in breaches}
    distinct = drop_copies(typed, params)
    # A cell of the wrong type is null by now: it is reported once, by its dtype.
    breaches += [
        breach for breach in check_columns(distinct, params) if (breach.column, breach.row) not in wrong
    ]
    table = drop_nulls(distinct, params)
    breaches += check_table(typed, int(typed.duplicated().sum()), table, params)
    counts = {
        "rows_raw": len(raw),
        "duplicates_dropped": len(typed) - len(distinct),
        "nulls_dropped": len(distinct) - len(table),
        "rows_clean": len(table),
    }
    return table, counts, breaches


def _report(entries: list[dict], detail: str) -> None:
    state = "failed" if entries else "passed"
    layout.write_json(layout.VALIDATION, {"state": state, "detail": detail, "failures": entries})


if __name__ == "__main__":
    run_stage("clean", clean_raw)
