"""Compiled modules that one environment has, handed to another with the same packages.

Compiling what a training imports takes seconds of CPU in every new environment. Python itself checks each
compiled file against the size and time of its source, so a wrong one is made anew, never used.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def share_bytecode(source: Path, target: Path) -> int:
    """Link the compiled modules of one virtual environment into another; how many were linked."""
    shared = 0
    for packages in source.glob("lib/python*/site-packages"):
        for cache in packages.rglob("__pycache__"):
            destination = target / cache.relative_to(source)
            if destination.parent.is_dir():
                shared += _link_all(cache, destination)
    return shared


def _link_all(cache: Path, destination: Path) -> int:
    destination.mkdir(exist_ok=True)
    linked = 0
    for compiled in cache.glob("*.pyc"):
        with contextlib.suppress(OSError):  # there already, or another disk: it is only made anew
            os.link(compiled, destination / compiled.name)
            linked += 1
    return linked
