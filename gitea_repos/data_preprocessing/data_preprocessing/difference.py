"""What changed from one data version to the next."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa

from data_preprocessing import layout
from data_preprocessing.description import describe_version
from data_preprocessing.markdown import write_share, write_table
from data_preprocessing.tables import read_version


def compare_versions(before: Path, after: Path) -> dict:
    """Return the changes in rows, classes and columns between the versions in two folders."""
    old, new = read_version(before), read_version(after)
    figures = describe_version(*old), describe_version(*new)
    return {
        "rows": compare_rows(old, new),
        "classes": compare_classes(figures[0]["classes"], figures[1]["classes"]),
        "columns": compare_columns(figures[0]["columns"], figures[1]["columns"]),
        "categories": compare_categories(old, new),
    }


def compare_rows(old: tuple, new: tuple) -> dict[str, int]:
    """Return how many rows came, went, stayed and changed sides, by the columns that both versions have."""
    shared = sorted(set(old[1].column_names) & set(new[1].column_names))
    before, after = ([_count_rows(side, shared) for side in version[1:]] for version in (old, new))
    all_before, all_after = before[0] + before[1], after[0] + after[1]
    moved = sum(((before[0] & after[1]) - after[0] | (before[1] & after[0]) - after[1]).values())
    return {
        "before": sum(all_before.values()),
        "after": sum(all_after.values()),
        "added": sum((all_after - all_before).values()),
        "removed": sum((all_before - all_after).values()),
        "changed_side": moved,
    }


def compare_classes(old: dict, new: dict) -> dict[str, dict[str, float]]:
    """Return each class's share of the rows before and after, and the change."""
    shares = {
        label: [version.get(label, {}).get("share", 0.0) for version in (old, new)]
        for label in sorted(old | new)
    }
    return {
        label: {"before": before, "after": after, "change": round(after - before, 6)}
        for label, (before, after) in shares.items()
    }


def compare_columns(old: dict, new: dict) -> dict:
    """Return the columns that came and went, and how far each numeric mean moved.

    A shift is told in standard deviations of the earlier version, None where that is zero.
    """
    both = [name for name in new if name in old and old[name]["kind"] == new[name]["kind"] == "numeric"]
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "means": {name: _compare_means(old[name], new[name]) for name in both},
    }


def compare_categories(old: tuple, new: tuple) -> dict[str, dict[str, list[str]]]:
    """Return the categories that came and went, for each categorical column in which any did."""
    kinds = [{**version[0]["columns"], version[0]["target"]: "categorical"} for version in (old, new)]
    changes = {}
    for name in (name for name, kind in kinds[1].items() if kind == kinds[0].get(name) == "categorical"):
        before, after = _list_values(old, name), _list_values(new, name)
        if before != after:
            changes[name] = {"added": sorted(after - before), "removed": sorted(before - after)}
    return changes


def write_difference(difference: dict, previous: str) -> str:
    """Return the difference to the previous version as Markdown."""
    rows, columns = difference["rows"], difference["columns"]
    parts = [
        f"# Changes since {previous}",
        f"Rows: {rows['before']} before, {rows['after']} after; {rows['added']} added, "
        f"{rows['removed']} removed, {rows['changed_side']} changed between train and test.",
        *(f"Columns {word}: {', '.join(columns[word])}." for word in ("added", "removed") if columns[word]),
        *_write_categories(difference["categories"]),
        "## Shares of the classes",
        write_table(
            ("class", "before", "after", "change"),
            (
                (label, *(write_share(share) for share in change.values()))
                for label, change in difference["classes"].items()
            ),
        ),
    ]
    if columns["means"]:
        header = ("column", "before", "after", "shift in standard deviations")
        parts += [
            "## Means",
            write_table(header, ((name, *mean.values()) for name, mean in columns["means"].items())),
        ]
    return "\n\n".join(parts)


def save_difference(before: Path, after: Path, previous: str) -> None:
    """Write diff.json and diff.md beside the later version's reports."""
    difference = compare_versions(before, after)
    layout.write_json(after / layout.DIFFERENCE, {"previous": previous, **difference})
    layout.write_text(after / layout.DIFFERENCE_TEXT, write_difference(difference, previous))


def _count_rows(table: pa.Table, columns: list[str]) -> Counter:
    return Counter(json.dumps(list(row.values())) for row in table.select(columns).to_pylist())


def _compare_means(old: dict, new: dict) -> dict[str, float | None]:
    before, after, spread = old["mean"], new["mean"], old["std"]
    known = before is not None and after is not None and spread
    return {
        "before": before,
        "after": after,
        "shift": float(f"{(after - before) / spread:.6g}") if known else None,
    }


def _list_values(version: tuple, column: str) -> set[str]:
    return {str(value) for side in version[1:] for value in side[column].to_pylist() if value is not None}


def _write_categories(categories: dict) -> list[str]:
    return [
        f"Categories of `{name}` {word}: {', '.join(change[word])}."
        for name, change in categories.items()
        for word in ("added", "removed")
        if change[word]
    ]
