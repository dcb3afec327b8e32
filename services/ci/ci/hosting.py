"""The repositories that this server hosts itself, with Git over HTTP: made here, their hooks too."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ci.errors import NameRefused, NameTaken
from ci.git import git
from ci.push import BAD_REF
from ci.repositories import NAME, Repositories
from ci.settings import ServerSettings

DEFAULT_BRANCH = "main"
# Gitea's too: a commit can be fetched by its id, and clones may leave files out.
CONFIG = {"uploadpack.allowAnySHA1InWant": "true", "uploadpack.allowFilter": "true"}


@dataclass(frozen=True)
class Hosting:
    """Makes the one organisation and its repositories."""

    settings: ServerSettings

    @property
    def hook_file(self) -> Path:
        return self.settings.home / "hook.env"

    def has_organisation(self) -> bool:
        """Whether the organisation was made: its folder is the record."""
        return self.settings.git_root.is_dir()

    def create_organisation(self, name: str) -> None:
        """Make the organisation. Raises NameRefused or NameTaken."""
        if name != self.settings.organisation:
            raise NameRefused(f"The one organisation here is {self.settings.organisation} (ORGANISATION).")
        try:
            self.settings.git_root.mkdir(parents=True)
        except FileExistsError:
            raise NameTaken(f"The organisation {name} is there already.") from None

    def create_repository(self, name: str, branch: str = DEFAULT_BRANCH) -> None:
        """Make a bare repository with its hook. Raises NameRefused, NameTaken or GitError."""
        if not NAME.fullmatch(name) or name.endswith(".git"):
            raise NameRefused(f"{name[:100]!r} is no name of a repository.")
        if branch.startswith("-") or BAD_REF.search(branch):
            raise NameRefused(f"{branch[:100]!r} is no name of a branch.")
        root = self.settings.git_root
        if name in Repositories(root).names():
            raise NameTaken(f"The repository {name} is there already.")
        with tempfile.TemporaryDirectory(prefix=".new-", dir=root) as scratch:
            folder = Path(scratch, "bare")
            git(root, "init", "--quiet", "--bare", f"--initial-branch={branch}", "--template=", str(folder))
            self._equip(folder)
            try:
                folder.rename(root / f"{name}.git")
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                raise NameTaken(f"The repository {name} is there already.") from None

    def prepare(self) -> None:
        """Write the hooks anew: the settings or the place of this program may have changed."""
        self._write_hook_file()
        repositories = Repositories(self.settings.git_root)
        for name in repositories.names():
            self._equip(repositories.path(name))

    def _equip(self, folder: Path) -> None:
        for key, value in CONFIG.items():
            git(folder, "config", key, value)
        words = [sys.executable, "-m", "ci.cli", "hook", "--env", str(self.hook_file)]
        hook = folder / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        write_whole(hook, f"#!/bin/sh\nexec {shlex.join(words)}\n", 0o755)

    def _write_hook_file(self) -> None:
        values = {
            "CI_URL": self.settings.own_url,
            "CI_WEB_URL": self.settings.web_url,
            "CI_WEBHOOK_SECRET": self.settings.webhook_secret,
            "ORGANISATION": self.settings.organisation,
            "CI_GIT_HTTP": "true",
        }
        lines = (f"{key}={quote(value)}\n" for key, value in values.items())
        write_whole(self.hook_file, "".join(lines), 0o600)


def quote(value: str) -> str:
    """A value in single quotes, as python-dotenv reads it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def write_whole(path: Path, text: str, mode: int) -> None:
    """Write a file so that nobody reads half of it, and nothing is left of it where that fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
