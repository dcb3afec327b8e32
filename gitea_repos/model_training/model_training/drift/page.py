"""The report for people: one HTML page that loads nothing from elsewhere and runs nothing."""

from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from model_training.drift.bins import Counts
from model_training.drift.scores import Column
from model_training.settings import DriftSettings

WIDTH, HEIGHT = 520, 130  # of a histogram's bars, in pixels
LONGEST_NAME, LABEL = 60, 100  # characters; pixels
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733 }
body { max-width: 1180px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .3rem } h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere }
.verdict { display: inline-block; padding: .25rem .8rem; border-radius: 1rem; color: #fff; font-weight: 600 }
.drifted { background: #b3261e } .steady { background: #26734d }
table { border-collapse: collapse; margin: 1.2rem 0 } th { border-bottom: 1px solid #9aa5b1 }
td, th { padding: .25rem 1.2rem .25rem 0; text-align: right }
td:first-child, th:first-child { text-align: left; overflow-wrap: anywhere }
.over { color: #b3261e; font-weight: 600 } .quiet { color: #5b6875 }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(540px, 1fr)); gap: 1.2rem }
section { border: 1px solid #d5dbe1; border-radius: .5rem; padding: .8rem 1rem }
svg { width: 100%; height: auto }
.training { fill: #7d8b99 } .requests { fill: #d9762b } svg text { font-size: 11px; fill: #5b6875 }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em }
.key.training { background: #7d8b99 } .key.requests { background: #d9762b }
"""
HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)


def draw(
    result: dict[str, Any],
    columns: dict[str, Column],
    masked: list[str],
    training_rows: int,
    settings: DriftSettings,
    data_version: str,
) -> str:
    """The page; names of columns and categories are text in it, whatever they hold."""
    named = f"{result['model']} version {result['version']}"
    about = (
        f"{result['rows']} newest rows of the last {settings.drift_window_hours:g} hours beside "
        f"{training_rows} training rows of data version {data_version}; "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    )
    state, word = ("drifted", "drifted") if result["drifted"] else ("steady", "no drift")
    parts = [
        f"{HEAD}<title>Drift of {_text(named)}</title><style>{STYLE}</style></head><body>",
        f"<h1>Drift of {_text(named)}</h1><p class=quiet>{_text(about)}</p>",
        f'<p><span class="verdict {state}">{word}</span> {_text(result["detail"])}</p>',
        _table(columns, settings.drift_psi),
        f"<p class=quiet>{_text(_left_out(masked))}</p>" if masked else "",
        "<p>Share of the rows:<span class='key training'></span>training"
        "<span class='key requests'></span>requests</p>",
        '<div class="columns">',
        *(_section(name, column) for name, column in columns.items()),
        "</div></body></html>",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _table(columns: dict[str, Column], threshold: float) -> str:
    rows = sorted(columns.items(), key=lambda item: (not item[1].scored, -item[1].psi))
    heads = "".join(f"<th>{head}</th>" for head in ("Column", "PSI", "KS distance", "KS p-value", ""))
    return f"<table><tr>{heads}</tr>{''.join(_row(*row, threshold) for row in rows)}</table>"


def _row(name: str, column: Column, threshold: float) -> str:
    over = column.scored and column.psi > threshold
    remark = f"above {threshold:g}" if over else column.note
    ks = "" if column.ks is None else f"{column.ks:.3f}"
    p_value = "" if column.p_value is None else f"{column.p_value:.2g}"
    shown = f"<td>{_text(name)}</td><td>{column.psi:.3f}</td><td>{ks}</td><td>{p_value}</td>"
    return f"<tr{' class=over' if over else ''}>{shown}<td class=quiet>{_text(remark, 200)}</td></tr>"


def _section(name: str, column: Column) -> str:
    note = f"<p class=quiet>{_text(column.note, 200)}</p>" if column.note else ""
    return f"<section><h2>{_text(name)}</h2>{note}{_histogram(column.drawn)}</section>"


def _histogram(counts: Counts) -> str:
    """Two bars a bin, side by side, each of its side's share; the title of a bin says the numbers."""
    sides = [counts.training / counts.training.sum(), counts.requests / counts.requests.sum()]
    top = float(max(np.max(side) for side in sides))
    room = WIDTH / len(counts.labels)
    bins = (
        _bin(number * room, room, label, top, float(training), float(asked))
        for number, (label, training, asked) in enumerate(zip(counts.labels, *sides, strict=True))
    )
    axis = _axis(counts.labels, room)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 34}" role="img">{"".join(bins)}{axis}</svg>'


def _bin(left: float, room: float, label: str, top: float, training: float, asked: float) -> str:
    bar, said = room * 0.42, f"{label}: training {training:.1%}, requests {asked:.1%}"
    bars = "".join(
        f'<rect class="{side}" x="{left + number * bar + room * 0.08:.1f}" width="{bar:.1f}"'
        f' y="{18 + HEIGHT * (1 - share / top):.1f}" height="{HEIGHT * share / top:.1f}"/>'
        for number, (side, share) in enumerate((("training", training), ("requests", asked)))
    )
    return f"<g><title>{_text(said, 200)}</title>{bars}</g>"


def _axis(labels: list[str], room: float) -> str:
    """As many labels as there is room for."""
    every = max(1, round(LABEL / room))
    placed = f'y="{HEIGHT + 32}" text-anchor="middle"'
    texts = (
        f'<text x="{(number + 0.5) * room:.1f}" {placed}>{_text(label, 18)}</text>'
        for number, label in enumerate(labels)
        if number % every == every // 2 and 0.5 * LABEL <= (number + 0.5) * room <= WIDTH - 0.5 * LABEL
    )
    line = f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT + 18}" y2="{HEIGHT + 18}" stroke="#9aa5b1"/>'
    return line + "".join(texts)


def _left_out(masked: list[str]) -> str:
    return (
        f"Left out, for the prediction log masks them: {', '.join(name[:LONGEST_NAME] for name in masked)}."
    )


def _text(value: str, longest: int = 1000) -> str:
    """As text of the page; too long is cut."""
    return escape(value if len(value) <= longest else value[: longest - 1] + "…")
