"""The cards of the Compose services: `x-sandbox` of each block, in the order of the layers.

Read from the files themselves: `docker compose config` leaves extension fields of included files out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$\{(\w+)[^}]*\}")


@dataclass(frozen=True)
class Card:
    """What people are told of a service: its page, and `user NAME_OF_A_SETTING` of its login."""

    url: str = ""
    user: str = ""
    password_setting: str = ""


def read_cards(main: Path, values: Mapping[str, str]) -> dict[str, Card]:
    """Every service of the included layers with its card, `${NAME}` filled in from `values`."""
    layers = [main.parent / name for name in yaml.safe_load(main.read_text())["include"]]
    blocks = [item for layer in layers for item in _services(layer)]
    return {name: _card(block.get("x-sandbox") or {}, values) for name, block in blocks}


def _services(layer: Path) -> list[tuple[str, dict[str, Any]]]:
    return list((yaml.safe_load(layer.read_text()).get("services") or {}).items())


def _card(fields: Mapping[str, Any], values: Mapping[str, str]) -> Card:
    url = VARIABLE.sub(lambda found: values[found[1]], fields.get("url") or "")
    user, _, setting = (fields.get("login") or "").partition(" ")
    return Card(url, user, setting)
