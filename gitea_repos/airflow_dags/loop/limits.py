"""The promises and limits of slo.yaml."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from loop.errors import Failure

SLO = Path(__file__).resolve().parent.parent / "slo.yaml"


@dataclass(frozen=True)
class Retries:
    """How often and how soon infrastructure is tried again."""

    times: int
    first_wait_seconds: float
    longest_wait_seconds: float
    factor: float


@dataclass(frozen=True)
class Waits:
    """How long a stage waits for a neighbour, and how often it looks; seconds."""

    ci: float
    served: float
    verified: float
    every: float


@dataclass(frozen=True)
class Thresholds:
    """What a model must reach to pass the gate."""

    least_metrics: dict[str, float]
    least_recall: float
    most_recall_lost: float


@dataclass(frozen=True)
class Drift:
    """When requests have drifted, how far back they are looked at, and how many make a judgement."""

    schedule: str
    psi: float
    window_hours: float
    least_rows: int


@dataclass(frozen=True)
class Limits:
    """The whole of slo.yaml."""

    schedule: str
    freshness_hours: float
    retries: Retries
    longest_seconds: dict[str, float]
    waits: Waits
    history_commits: int
    gate: Thresholds
    alerts: dict[str, Any]  # what people are told: the DAGs read none of it
    drift: Drift

    @classmethod
    def read(cls, path: Path = SLO) -> "Limits":
        """Read the file; raises Failure that names the file and the key that is missing or unknown."""
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise Failure(f"{path.name} cannot be read: {error}") from error
        nested = {"retries": Retries, "waits": Waits, "gate": Thresholds, "drift": Drift}
        values = _checked(cls, document, path.name)
        for key, kind in nested.items():
            values[key] = kind(**_checked(kind, values[key], key))
        return cls(**values)


def _checked(kind: type, values: Any, where: str) -> dict[str, Any]:
    """The values of one section, when its keys are exactly the fields of `kind`."""
    wanted = {field.name for field in fields(kind)}
    if not isinstance(values, dict) or set(values) != wanted:
        seen = set(values) if isinstance(values, dict) else set()
        odd = ", ".join(sorted(wanted ^ seen))
        raise Failure(f"slo.yaml: in {where} these keys are missing or unknown: {odd}")
    return values
