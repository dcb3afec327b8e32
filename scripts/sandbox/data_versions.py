"""Data versions: each is a tag of data_preprocessing that names the commit it was made from."""

import re
import tempfile
from pathlib import Path

from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.git import git
from sandbox.settings import DATA, ROOT

DATA_REF = re.compile(r"(?:DV_)?([0-9a-f]{12})")
DATA_COMMIT = re.compile(r"^data commit: ([0-9a-f]{40})$", re.MULTILINE)  # a line of a data version's tag
TAG = "refs/tags/DV_"
MOST_SHOWN = 10


def find_data_version(context: Context, given: str) -> str:
    """The data version that 12 hex digits or a tag name; its tag is there. Raises LoopError."""
    listed = git("ls-remote", context.endpoints.clone_url(DATA), f"{TAG}*", folder=ROOT).splitlines()
    known = [line.partition(TAG)[2] for line in listed if not line.endswith("^{}")]
    match = DATA_REF.fullmatch(given)
    if match and match[1] in known:
        return match[1]
    shown = ", ".join(known[:MOST_SHOWN]) + (
        f" and {len(known) - MOST_SHOWN} more" if known[MOST_SHOWN:] else ""
    )
    raise LoopError(
        f"{DATA} has no data version {given!r} (no tag DV_<12 hex digits> of it).",
        f"Data versions: {shown or 'none yet'}",
    )


def data_commit(context: Context, version: str) -> str:
    """The data commit that a data version was made from, as its tag says it. Raises LoopError."""
    tag, url = f"{TAG}{version}", context.endpoints.clone_url(DATA)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        git("init", "--quiet", "--bare", scratch, folder=folder)
        git("fetch", "--quiet", "--depth=1", url, f"+{tag}:{tag}", folder=folder)
        found = DATA_COMMIT.search(git("for-each-ref", "--format=%(contents)", tag, folder=folder))
    if not found:
        raise LoopError(f"The tag DV_{version} names no data commit.", "Choose another data version")
    return found[1]
