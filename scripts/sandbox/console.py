"""The only place that prints. Progress goes to standard error, results to standard output."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

STATE_STYLES = {
    "passed": "green",
    "running": "cyan",
    "waiting": "yellow",
    "rejected": "yellow",
    "failed": "red",
    "pending": "dim",
    "skipped": "dim",
}


def step(text: str) -> None:
    """Something has begun."""
    err.print(f"[cyan]·[/] {escape(text)}", soft_wrap=True)


def done(text: str) -> None:
    """Something is finished."""
    err.print(f"[green]✓[/] {escape(text)}", soft_wrap=True)


def news(text: str) -> None:
    """A line of a loop's progress."""
    err.print(f"  {escape(text)}", soft_wrap=True)


def note(text: str) -> None:
    """Something a person should know."""
    err.print(f"[yellow]![/] {escape(text)}", soft_wrap=True)


def problem(text: str, hint: str = "") -> None:
    """What failed and what to do."""
    err.print(f"[red]✗[/] {escape(text)}", soft_wrap=True)
    if hint:
        err.print(f"  {escape(hint)}", soft_wrap=True)


def say(text: str = "") -> None:
    """A line of the result, as it is."""
    out.print(escape(text), soft_wrap=True)


def emit_json(value: Any) -> None:
    """The result for machines: one JSON document."""
    say(json.dumps(value, indent=2))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A plain table; a cell that is a state gets its colour, and only the column Detail is ever broken."""
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column, *cells in zip(columns, *rows, strict=True):
        whole = None if column == "Detail" else max(map(len, [column, *cells]))
        grid.add_column(column, overflow="fold", min_width=whole)
    for row in rows:
        grid.add_row(
            *(f"[{STATE_STYLES[cell]}]{cell}[/]" if cell in STATE_STYLES else escape(cell) for cell in row)
        )
    return grid


def show(renderable: Any, where: Console = out) -> None:
    """Print a table."""
    where.print(renderable, crop=False)


@contextmanager
def live() -> Iterator[Live]:
    """A table that is redrawn in place on a terminal, and not shown elsewhere."""
    with Live(console=err, refresh_per_second=4, transient=True, auto_refresh=err.is_terminal) as view:
        yield view
