"""An image that retention has removed is built again, by pushing its files to a branch for that alone.

They are pushed as a commit of their own: an equal tree gives an equal image, and the build's statuses land on
that commit. The old one stays as green as it was.
"""

import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import console
from sandbox.context import Context
from sandbox.data_versions import data_commit
from sandbox.errors import LoopError
from sandbox.git import IDENTITY, git
from sandbox.settings import CODE, DATA
from sandbox.wait import wait_until

STORED = re.compile(r"env:sha256:([0-9a-f]{64})")
LONGEST = 1800.0  # seconds of one build, with what is built before it
ENDED = ("success", "failure", "error")


def bring_images(context: Context, conf: dict[str, Any]) -> None:
    """Build again what the conf of a run names and the image store has no more. Raises LoopError."""
    if commit := conf.get("code_commit"):
        _bring(context, CODE, commit)
    if version := conf.get("data_version"):
        _bring(context, DATA, data_commit(context, version))


def is_stored(context: Context, image: str) -> bool:
    """Whether a folder of images has this one; of a registry nothing is ever removed."""
    if not context.endpoints.images.outside.startswith("file://"):
        return True
    match = STORED.fullmatch(image)
    folder = context.endpoints.images.folder
    return bool(match) and (folder / match[1] / "env" / "bin" / "python").exists()  # type: ignore[index]


def _bring(context: Context, repository: str, commit: str) -> None:
    images = [row["description"] for row in _statuses(context, repository, commit, "image")]
    if not images or is_stored(context, images[-1]):
        return  # a commit without an image is refused by whoever asks for the run
    console.step(f"the image of {repository} {commit[:12]} was removed; CI builds it again")
    _build_again(context, repository, commit)
    if not is_stored(context, images[-1]):
        raise LoopError(
            f"The image of {repository} {commit[:12]} is gone, and the commit makes another one now: "
            "Python or the platform has changed since.",
            "Take a newer commit, or push this one's files as a new commit",
        )


def _build_again(context: Context, repository: str, commit: str) -> None:
    """Push the commit's files to a branch of their own, wait for the build, take the branch away."""
    branch = f"rebuild-{commit[:12]}-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
    url = context.endpoints.clone_url(repository)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        git("clone", "--quiet", "--bare", url, scratch, folder=folder)
        again = _commit_again(commit, branch, folder)
        git("push", "--quiet", "origin", f"{again}:refs/heads/{branch}", folder=folder, env=IDENTITY)
        try:
            built = wait_until(
                _end_of_build(context, repository, again),
                what=f"the build of {commit[:12]}",
                seconds=LONGEST,
                hint=f"Run: make trace REF={again[:12]}",
                interval=1.0,
            )
        finally:
            git("push", "--quiet", "origin", f":refs/heads/{branch}", folder=folder, env=IDENTITY)
    if built["status"] != "success":
        raise LoopError(
            f"The image of {repository} {commit[:12]} is gone, its build fails now: {built['description']}",
            f"See {built['target_url']}, or choose another commit",
        )


def _commit_again(commit: str, branch: str, folder: Path) -> str:
    """A new commit on top of one, with the same files; the branch in its message makes it the only one."""
    message = f"{branch}: build {commit[:12]} again, its image was removed\n\nStarts-Run: no"
    tree = f"{commit}^{{tree}}"
    return git("commit-tree", tree, "-p", commit, "-m", message, folder=folder, env=IDENTITY)


def _end_of_build(context: Context, repository: str, commit: str) -> Callable[[], dict[str, Any] | None]:
    """A look for the last status of a commit's only build."""

    def look() -> dict[str, Any] | None:
        last = _statuses(context, repository, commit, "ci")[-1:]
        return next((row for row in last if row["status"] in ENDED), None)

    return look


def _statuses(context: Context, repository: str, commit: str, name: str) -> list[dict[str, Any]]:
    found = context.statuses.of(repository, commit)
    return [row for row in found[1] if row["context"] == name] if found else []
