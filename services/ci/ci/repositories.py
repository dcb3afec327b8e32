"""The bare repositories that are built, read with git."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ci.errors import UnknownRepository
from ci.git import git

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
SHA = re.compile(r"[0-9a-f]{40}")
SHORT_SHA = re.compile(r"[0-9a-fA-F]{4,40}")
HEADS = "refs/heads/"


@dataclass(frozen=True)
class Commit:
    """What pages show of a commit."""

    sha: str
    subject: str
    author: str


@dataclass(frozen=True)
class Repositories:
    """The bare repositories `<name>.git` in one folder."""

    root: Path

    def path(self, name: str) -> Path:
        """The folder of a repository. Raises UnknownRepository."""
        folder = self.root / f"{name}.git"
        if not NAME.fullmatch(name) or not (folder / "HEAD").is_file():
            raise UnknownRepository(f"There is no repository {name[:100]!r} in {self.root}.")
        return folder

    def names(self) -> list[str]:
        """All repositories, sorted."""
        found = (folder.name.removesuffix(".git") for folder in self.root.glob("*.git"))
        return sorted(
            name for name in found if NAME.fullmatch(name) and (self.root / f"{name}.git/HEAD").is_file()
        )

    def heads(self, name: str) -> list[tuple[str, str]]:
        """Every branch as (ref, commit), the branch with the oldest commit first."""
        lines = git(
            self.path(name),
            "for-each-ref",
            "--sort=committerdate",
            "--format=%(objectname) %(refname)",
            HEADS,
        ).splitlines()
        return [(ref, sha) for sha, ref in (line.split(" ", 1) for line in lines)]

    def resolve(self, name: str, ref: str) -> str | None:
        """The commit that a branch, a tag or a (short) commit id names; None where there is none."""
        folder = self.path(name)
        names = [f"{HEADS}{ref}", f"refs/tags/{ref}"] + ([ref] if SHORT_SHA.fullmatch(ref) else [])
        for candidate in names:
            if "\0" not in candidate:
                sha = git(folder, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}", check=False)
                if sha:
                    return sha.strip()
        return None

    def commit(self, name: str, sha: str) -> Commit:
        """Subject and author of a commit. Raises GitError."""
        subject, author = (
            git(self.path(name), "show", "--no-patch", "--format=%s%x00%an", sha).strip().split("\0")
        )
        return Commit(sha, subject[:200], author[:100])

    def default_branch(self, name: str) -> str:
        """The branch that HEAD names."""
        return git(self.path(name), "symbolic-ref", "--short", "HEAD", check=False).strip() or "main"
