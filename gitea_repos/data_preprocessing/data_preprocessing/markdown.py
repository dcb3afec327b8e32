"""Tables for people."""

from collections.abc import Iterable


def write_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; a bar or line break inside a cell is kept from breaking it."""
    cells = [list(header), *([_write_cell(cell) for cell in row] for row in rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|" + "---|" * len(cells[0]))
    return "\n".join(lines)


def write_share(share: float) -> str:
    """Return a fraction of 1 as a percentage."""
    return f"{100 * share:.1f} %"


def _write_cell(cell: object) -> str:
    if cell is None:
        return "-"
    text = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    return text.replace("|", "\\|").replace("\n", " ")
