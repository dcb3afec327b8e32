"""The limits that panels draw, read from slo.yaml: the numbers of the gate, the alerts and the drift DAG."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

SLO = Path(__file__).resolve().parents[2] / "gitea_repos/airflow_dags/slo.yaml"


@cache
def slo() -> dict[str, Any]:
    """What the loop promises."""
    return yaml.safe_load(SLO.read_text())


def alert(name: str) -> tuple[float, float]:
    """From where an alert warns, and from where it is critical."""
    limits = slo()["alerts"][name]
    return limits["warning"], limits["critical"]


def used(name: str) -> tuple[float, float]:
    """The same for a share that is free, as the share that is used."""
    warning, critical = alert(name)
    return round(1 - warning, 4), round(1 - critical, 4)
