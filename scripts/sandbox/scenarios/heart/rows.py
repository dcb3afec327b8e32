"""SYNTHETIC patients: a generator with a seed makes the numbers up. Nobody was measured; no medicine follows.

Columns and codes are those of the Cleveland heart disease data, counted from 0. Of each made-up patient it is
drawn first whether there is disease, then every finding given that: shares and means are round numbers of the
size that textbooks give. Findings overlap, so no model can be right of every patient, and no column is made
from the target by a rule.
"""

import random
from collections.abc import Sequence

COLUMNS = (
    *("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope"),
    *("ca", "thal", "target"),
)
SEED = 20
ROWS = 600
PREVALENCE = 0.46

# Of the healthy, then of the diseased: the shares of the codes 0, 1, 2, …
SHARES: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "sex": ((0.42, 0.58), (0.20, 0.80)),  # 1: male
    "cp": ((0.11, 0.26, 0.38, 0.25), (0.06, 0.08, 0.18, 0.68)),  # angina: typical, atypical; other pain; none
    "fbs": ((0.86, 0.14), (0.84, 0.16)),  # 1: fasting blood sugar above 120 mg/dl
    "restecg": ((0.57, 0.01, 0.42), (0.42, 0.03, 0.55)),  # normal, ST-T abnormality, hypertrophy
    "exang": ((0.84, 0.16), (0.48, 0.52)),  # 1: angina by exercise
    "slope": ((0.62, 0.33, 0.05), (0.28, 0.62, 0.10)),  # of the ST segment: up, flat, down
    "ca": ((0.76, 0.16, 0.05, 0.03), (0.36, 0.30, 0.21, 0.13)),  # major vessels coloured by fluoroscopy
    "thal": ((0.75, 0.05, 0.20), (0.30, 0.10, 0.60)),  # normal, fixed defect, reversible defect
}


def make_rows(rows: int = ROWS, seed: int = SEED) -> list[list[float]]:
    """That many patients in the order of COLUMNS; the same for the same seed."""
    chance = random.Random(seed)
    return [_patient(chance, int(chance.random() < PREVALENCE)) for _ in range(rows)]


def _patient(chance: random.Random, ill: int) -> list[float]:
    age = _whole(chance, 52.5 + 4 * ill, 9, 29, 77)
    found: dict[str, float] = {
        "age": age,
        "trestbps": _whole(chance, 112 + 0.33 * age + 3 * ill, 16, 94, 200),  # mm Hg
        "chol": _whole(chance, 205 + 0.7 * age + 6 * ill, 48, 126, 564),  # mg/dl
        "thalach": _whole(chance, 205 - 0.9 * age - 16 * ill, 18, 71, 202),  # beats a minute
        "oldpeak": _depression(chance, ill),
        "target": ill,
    }
    codes = {name: _code(chance, shares[ill]) for name, shares in SHARES.items()}
    return [(found | codes)[name] for name in COLUMNS]


def _whole(chance: random.Random, mean: float, spread: float, least: int, most: int) -> int:
    return min(most, max(least, round(chance.gauss(mean, spread))))


def _depression(chance: random.Random, ill: int) -> float:
    """ST depression by exercise, in mm: none at all for many."""
    none = chance.random() < (0.22 if ill else 0.43)
    return 0.0 if none else round(min(6.2, chance.expovariate(1 / (1.8 if ill else 1.0))), 1)


def _code(chance: random.Random, shares: Sequence[float]) -> int:
    return chance.choices(range(len(shares)), shares)[0]
