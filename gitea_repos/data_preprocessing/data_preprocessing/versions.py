"""Data versions: their name by content, and the annotated tag that keeps them."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from data_preprocessing.console import redact
from data_preprocessing.errors import Rejected
from data_preprocessing.git import GitError, run_git
from data_preprocessing.layout import LOCK
from data_preprocessing.params import Params, flatten

STAGE = "split"


@dataclass(frozen=True)
class Version:
    """A data version that has its tag: the tagged commit, and the data commit it was made from."""

    name: str
    commit: str
    data_commit: str


def tag_of(version: str) -> str:
    """Return the name of a data version's tag."""
    return f"DV_{version}"


def read_outputs(folder: Path) -> dict[str, str]:
    """Return the md5 of each output of the stage `split`, by path, as dvc.lock has them."""
    lock = YAML(typ="safe", pure=True).load((folder / LOCK).read_text(encoding="utf-8"))
    return {out["path"]: out["md5"] for out in lock["stages"][STAGE]["outs"]}


def name_version(outputs: dict[str, str]) -> str:
    """Return the data version: 12 hex of the sha256 over the lines `<path> <md5>`, sorted by path."""
    lines = "".join(f"{path} {outputs[path]}\n" for path in sorted(outputs))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


def read_version_tag(folder: Path, version: str, url: str) -> Version:
    """Return a tagged version; raise Rejected when the clone has no such tag."""
    tag = tag_of(version)
    if not _has_tag(folder, tag):
        raise Rejected(f"There is no tag {tag} in {redact(url)}: choose a data version that was made.")
    commit = run_git(folder, "rev-parse", f"refs/tags/{tag}^{{commit}}")
    found = re.search(r"^data commit: ([0-9a-f]{40})$", run_git(folder, "cat-file", "tag", tag), re.MULTILINE)
    if not found:
        raise Rejected(
            f"The tag {tag} in {redact(url)} names no data commit: it was not made by this project."
        )
    return Version(version, commit, found.group(1))


def find_previous(folder: Path, version: str) -> str | None:
    """Return the tag made last before this version's own, or last of all while it has none."""
    listing = run_git(
        folder, "for-each-ref", "--sort=creatordate", "--format=%(refname:short)", "refs/tags/DV_*"
    )
    tags = listing.split()
    if tag_of(version) in tags:
        tags = tags[: tags.index(tag_of(version))]
    return tags[-1] if tags else None


def write_message(version: str, data_commit: str, rows: dict[str, int], params: Params) -> str:
    """Return the tag's message: the data commit, the rows and the parameters."""
    lines = [f"  {name}: {value}" for name, value in flatten(params.model_dump(exclude_unset=True)).items()]
    counts = f"{rows['train']} to train, {rows['test']} to test"
    return "\n".join(
        [
            f"Data version {version}",
            "",
            f"data commit: {data_commit}",
            f"rows: {counts}",
            "parameters:",
            *lines,
        ]
    )


def publish_version(folder: Path, version: str, message: str) -> str:
    """Commit dvc.lock without a branch and push it as the version's tag alone.

    Returns `created`, or `unchanged` when the tag was there, also when another task pushed it meanwhile.
    """
    tag = tag_of(version)
    if _has_tag(folder, tag):
        return "unchanged"
    run_git(folder, "add", "--force", str(LOCK))
    if run_git(folder, "diff", "--cached", "--name-only"):
        run_git(folder, "commit", "--quiet", "--message", f"Data version {version}")
    run_git(folder, "tag", "--annotate", "--cleanup=whitespace", "--message", message, tag)
    try:
        run_git(folder, "push", "--quiet", "origin", f"refs/tags/{tag}")
    except GitError:
        if not run_git(folder, "ls-remote", "origin", f"refs/tags/{tag}"):
            raise
        return "unchanged"
    return "created"


def _has_tag(folder: Path, tag: str) -> bool:
    return bool(run_git(folder, "tag", "--list", tag))
