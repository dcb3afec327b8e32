"""Stage `describe`: the data version in numbers, words and pictures."""

from pathlib import Path

from data_preprocessing import layout
from data_preprocessing.console import say
from data_preprocessing.description import describe_version
from data_preprocessing.figures import draw_figures
from data_preprocessing.markdown import write_share, write_table
from data_preprocessing.stage import run_stage
from data_preprocessing.tables import read_version


def describe_data() -> None:
    """Write description.json, description.md and the figures."""
    schema, train, test = read_version(Path())
    description = describe_version(schema, train, test) | {"cleaning": layout.read_json(layout.CLEANING)}
    layout.write_json(layout.DESCRIPTION, description)
    layout.write_text(layout.DESCRIPTION_TEXT, write_description(description))
    names = draw_figures(schema, train, test, layout.FIGURES)
    say(f"describe: {len(description['columns'])} columns, {', '.join(names)}")


def write_description(description: dict) -> str:
    """Return the description as Markdown."""
    rows, cleaning = description["rows"], description["cleaning"]
    parts = [
        f"# Data set {description['name']}",
        f"{rows['total']} rows: {rows['train']} to train, {rows['test']} to test. "
        f"Target: `{description['target']}`.",
        f"Cleaning read {cleaning['rows_raw']} rows, dropped {cleaning['duplicates_dropped']} exact copies "
        f"and {cleaning['nulls_dropped']} rows with nulls, and kept {cleaning['rows_clean']}.",
        "## Classes",
        _write_classes(description["classes"]),
        *_write_columns(description["columns"]),
    ]
    return "\n\n".join(parts)


def _write_classes(classes: dict[str, dict]) -> str:
    rows = (
        (label, c["rows"], write_share(c["share"]), c["train"], c["test"]) for label, c in classes.items()
    )
    return write_table(("class", "rows", "share", "train", "test"), rows)


def _write_columns(columns: dict[str, dict]) -> list[str]:
    headings = {"numeric": "Numeric columns", "categorical": "Categorical columns", "text": "Text columns"}
    parts = []
    for kind, heading in headings.items():
        chosen = {name: column for name, column in columns.items() if column["kind"] == kind}
        if chosen:
            parts += [f"## {heading}", _write_kind(chosen)]
    return parts


def _write_kind(columns: dict[str, dict]) -> str:
    figures = [key for key in next(iter(columns.values())) if key != "kind"]
    rows = ((name, *(_write_figure(column[key]) for key in figures)) for name, column in columns.items())
    return write_table(("column", *figures), rows)


def _write_figure(value: object) -> object:
    return ", ".join(f"{key} ({rows})" for key, rows in value.items()) if isinstance(value, dict) else value


if __name__ == "__main__":
    run_stage("describe", describe_data)
