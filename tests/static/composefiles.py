"""The Compose files as data, as they are written and as their fragments complete them."""

import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# A variable that Compose fills in: ${NAME:?} must hold something, ${NAME?} may be empty. `$$` is not one.
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)([^}]*)\}")


@dataclass
class Layer:
    """One file of the include list."""

    name: str
    text: str
    data: dict[str, Any]

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return self.data.get("services") or {}


@dataclass
class Stack:
    """Every layer in its order, and the fragments."""

    layers: list[Layer]
    fragments: dict[str, dict[str, Any]]
    text: str  # of all files

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Every block with its fragment merged in, as Compose does it."""
        return {name: self.complete(block) for layer in self.layers for name, block in layer.services.items()}

    def complete(self, block: dict[str, Any]) -> dict[str, Any]:
        base = block.get("extends")
        return merge(self.complete(self.fragments[base["service"]]), block) if base else deepcopy(block)

    def layer_of(self, service: str) -> int:
        return next(i for i, layer in enumerate(self.layers) if service in layer.services)

    def variables(self) -> set[str]:
        """Every variable named; a name without a value is one that the driver may give."""
        return {name for name, _ in VARIABLE.findall(self.text)}


def merge(base: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """Mappings key by key, lists one after the other; commands and health checks replace."""
    result = deepcopy(base)
    for key, value in block.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            result[key] = merge(old, value)
        elif isinstance(old, list) and isinstance(value, list) and key not in {"command", "test"}:
            result[key] = old + value
        else:
            result[key] = deepcopy(value)
    return result


def read_stack(folder: Path) -> Stack:
    """Read compose.yaml in `folder` and what it includes."""
    names = yaml.safe_load((folder / "compose.yaml").read_text())["include"]
    layers = [_layer(folder / name) for name in names]
    fragments = (folder / "fragments.yaml").read_text()
    return Stack(
        layers,
        yaml.safe_load(fragments)["services"],
        "\n".join([fragments, *(layer.text for layer in layers)]),
    )


def _layer(path: Path) -> Layer:
    text = path.read_text()
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return Layer(path.name, code, yaml.safe_load(text) or {})
