"""Bootstrap: the steps in order. Each looks, makes what is missing and says so; again changes nothing.

A step names what it needs, a driver what it provides; a step whose need is not provided is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.context import Context
from sandbox.steps import bare_repositories, raw_data, sample_repositories


@dataclass(frozen=True)
class Step:
    """One step: what it needs, and its function, which says what it did (empty: unchanged)."""

    needs: str
    run: Callable[[Context], str]


STEPS = (
    Step("data-folder", raw_data.run),
    Step("bare-repositories", bare_repositories.run),
    Step("git", sample_repositories.run),
)
