"""Stage `split`: each row goes to train or test by a hash of its features.

The side of a row depends on its features, the seed and the share alone: never on other rows, their order
or the order of columns. Rows that differ only in the target share a side, so no model is tested on
features it learned.
"""

import hashlib
import json
from pathlib import Path

import pyarrow as pa

from data_preprocessing import layout
from data_preprocessing.console import say
from data_preprocessing.errors import Rejected
from data_preprocessing.params import Params, load_params
from data_preprocessing.stage import run_stage
from data_preprocessing.tables import read_table, write_table

SPAN = 1 << 64


def hash_row(row: dict, seed: int) -> bytes:
    """Return the digest of a row's values; equal numbers give equal digests, -0.0 and 0.0 too."""
    values = [[name, row[name] + 0.0 if isinstance(row[name], float) else row[name]] for name in sorted(row)]
    canonical = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{seed}\n{canonical}".encode()).digest()


def is_test(digest: bytes, share: float) -> bool:
    """Say whether a digest falls into the share of all digests that is for testing."""
    return int.from_bytes(digest[:8]) < share * SPAN


def split_rows(table: pa.Table, params: Params) -> tuple[pa.Table, pa.Table]:
    """Return the training and the test rows, both in the order of their digests.

    That order is the same for the same rows, however they were shuffled, and mixes the classes.
    Raises Rejected when a class is missing on a side.
    """
    features = table.select(params.features).to_pylist()
    digests = [hash_row(row, params.split.seed) for row in features]
    target = table[params.dataset.target].to_pylist()
    order = sorted(range(table.num_rows), key=lambda row: (digests[row], target[row]))
    chosen = {row for row in order if is_test(digests[row], params.split.test_share)}
    train = table.take(pa.array([row for row in order if row not in chosen], pa.int64()))
    test = table.take(pa.array([row for row in order if row in chosen], pa.int64()))
    _require_classes(train, test, params)
    return train, test


def split_clean() -> None:
    """Write train.parquet, test.parquet and schema.json."""
    params = load_params()
    train, test = split_rows(read_table(layout.CLEAN), params)
    write_table(train, layout.TRAIN)
    write_table(test, layout.TEST)
    write_schema(params, layout.SCHEMA)
    say(f"split: {train.num_rows:,} rows to train, {test.num_rows:,} to test")


def write_schema(params: Params, path: Path) -> None:
    """Write the data set's name, its target and the kinds of its features."""
    kinds = {name: params.columns[name].kind for name in params.features}
    layout.write_json(path, {"name": params.dataset.name, "target": params.dataset.target, "columns": kinds})


def _require_classes(train: pa.Table, test: pa.Table, params: Params) -> None:
    labels = [set(side[params.dataset.target].to_pylist()) for side in (train, test)]
    for name, here, other in (("train", *labels), ("test", *reversed(labels))):
        if missing := sorted(other - here):
            raise Rejected(
                f"Split: class {missing[0]!r} has no row to {name}: "
                "give it more rows, or change split.test_share or split.seed."
            )


if __name__ == "__main__":
    run_stage("split", split_clean)
