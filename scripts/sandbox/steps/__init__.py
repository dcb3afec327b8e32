"""Bootstrap: the steps in order. Each looks, makes what is missing and says so; again changes nothing.

A step names what it needs. A driver says when that stands; a step whose need it never provides is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.context import Context
from sandbox.steps import (
    bare_repositories,
    buckets,
    databases,
    git_wiring,
    gitea_admin,
    keys,
    raw_data,
    repositories,
    sample_repositories,
)


@dataclass(frozen=True)
class Step:
    """One step: what it needs, its name, and its function, which says what it did (empty: unchanged)."""

    needs: str
    name: str
    run: Callable[[Context], str]


STEPS = (
    Step("data-folder", "raw data", raw_data.run),
    Step("bare-repositories", "repositories", bare_repositories.run),
    Step("mysql", "keys", keys.run),  # before anything is changed
    Step("mysql", "databases", databases.run),
    Step("minio", "buckets", buckets.run),
    Step("minio", "raw data", raw_data.run),
    Step("gitea", "gitea administrator", gitea_admin.run),
    Step("gitea", "repositories", repositories.run),
    Step("gitea-users", "rights", git_wiring.give_rights),
    Step("jenkins", "hooks", git_wiring.hang_hooks),
    Step("git", "first commits", sample_repositories.run),
)
