"""Parameters and raw rows that several tests use."""

import random
from pathlib import Path

PROJECT = Path(__file__).parents[1]
TESTS = Path(__file__).parent

MIXED_PARAMS = """
raw: {file: patients.csv, delimiter: ";", null_values: ["", "?"]}
dataset: {name: heart, target: disease}
columns:
  age: {kind: numeric, dtype: integer, min: 0, max: 120}
  chol: {kind: numeric, min: 0, nulls: keep}
  chest_pain: {kind: categorical, allowed: [typical, atypical, "no"], nulls: drop}
  vessels: {kind: categorical, dtype: integer, allowed: [0, 1, 2, 3]}
  note: {kind: text, nulls: keep}
  disease: {kind: categorical, allowed: ["no", "yes"]}
rules: {unexpected_columns: drop, min_rows: 100, min_class_rows: 20}
split: {test_share: 0.25, seed: 1}
"""


def make_patients(rows: int = 300) -> str:
    """Return a raw table in another dialect: semicolons, `?` for nulls, quoted texts, stray spaces."""
    chance = random.Random(7)
    lines = ["patient; age ;chol;chest_pain;vessels;note;disease"]
    for number in range(rows):
        chol = "?" if number % 10 == 0 else f"{chance.uniform(120, 400):.1f}"
        pain = "" if number % 50 == 0 else chance.choice(["typical", "atypical", "no"])
        note = '"said ""fine""; then\nleft"' if number % 7 == 0 else f"note {number} äöü"
        sick = ("no", "yes")[number % 2]
        lines.append(f"{number}; {chance.randint(20, 90)};{chol};{pain} ;{number % 4};{note};{sick}")
    return "\n".join(lines)
