"""`ci image` and `ci run`: images by content, in the store that IMAGE_STORE names."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol
from urllib.parse import unquote, urlsplit

from backports import tarfile  # its filters came with Python 3.11.4; Debian 12 has 3.11.2

from ci.environments import Environments, locked
from ci.errors import ImageError
from ci.git import git, head
from ci.settings import ImageSettings

REF_FILE = Path("build/image.ref")
REF = re.compile(r"env:sha256:([0-9a-f]{64})")
REGISTRY = re.compile(r"[A-Za-z0-9.-]+:[0-9]+")
LAUNCHER = Path(__file__).with_name("launcher.py")

Say = Callable[[str], None]


class ImageStore(Protocol):
    """Where images are: one class for each kind of store."""

    def build(self, source: Path, repository: str) -> str:
        """Make the image of HEAD of `source` where it is not there; its ref. Raises ImageError."""

    def run(self, ref: str, argv: list[str]) -> NoReturn:
        """Become the command in the image. Raises ImageError."""


def open_store(settings: ImageSettings, say: Say) -> ImageStore:
    """The store that IMAGE_STORE names. Raises ImageError where no class is for it."""
    if REGISTRY.fullmatch(settings.store):
        from ci.registry_store import RegistryStore

        return RegistryStore(settings, say)
    parts = urlsplit(settings.store)
    if parts.scheme != "file":
        raise ImageError(
            f"IMAGE_STORE is {settings.store!r}; it must be file:// and a folder, or a registry as host:port."
        )
    return FolderStore(Path(unquote(parts.path)))


@dataclass(frozen=True)
class FolderStore:
    """Images as folders: `tree`, `env`, `image.json` and `run`."""

    folder: Path

    @property
    def environments(self) -> Environments:
        return Environments(self.folder / "environments")

    def build(self, source: Path, repository: str) -> str:
        """Make the image of HEAD of `source` where it is not there; its ref. Raises ImageError."""
        tree = git(source, "rev-parse", "HEAD^{tree}").strip()
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch_folder = tempfile.TemporaryDirectory(prefix=".new-", dir=self.folder)
        with locked(self.folder / ".lock", shared=True), scratch_folder as scratch:
            image = Path(scratch) / "image"
            unpack(source, image / "tree")
            environment = self.environments.build(image / "tree" / "requirements.lock", source / ".venv")
            name = hashlib.sha256(f"{environment}\n{tree}\n".encode()).hexdigest()
            if not (self.folder / name).exists():
                describe(image, repository, head(source), environment)
                self._place(image, name)
            os.utime(self.folder / name)  # used now: retention takes the one that was used longest ago
        return f"env:sha256:{name}"

    def _place(self, image: Path, name: str) -> None:
        try:
            os.rename(image, self.folder / name)
        except OSError as error:
            if not (self.folder / name).exists():  # else another build was first, with the same content
                raise ImageError(f"Cannot put the image into {self.folder}: {error.strerror}.") from error

    def run(self, ref: str, argv: list[str]) -> NoReturn:
        """Become the command in the image. Raises ImageError."""
        match = REF.fullmatch(ref)
        if match is None:
            raise ImageError(f"{ref[:100]!r} is no image of {self.folder}; run `ci image` to make one.")
        launcher = self.folder / match.group(1) / "run"
        if not (launcher.parent / "env" / "bin" / "python").exists():
            raise ImageError(f"The image {ref} is not in {self.folder}; run `ci image` to make it.")
        os.execv(launcher, [str(launcher), *argv])


def unpack(source: Path, target: Path) -> None:
    """The tree of HEAD, as git keeps it and for every user to read. Raises ImageError."""
    command = ["git", "-c", "tar.umask=0022", "archive", "--format=tar", "HEAD"]
    done = subprocess.run(command, cwd=source, capture_output=True)
    if done.returncode:
        raise ImageError(f"git archive failed in {source}: {done.stderr.decode(errors='replace').strip()}")
    try:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(target, filter=readable)
        target.chmod(0o755)
    except (tarfile.TarError, OSError) as error:
        raise ImageError(f"The tree cannot be unpacked: {error}.") from error


def readable(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    """The filter `data`, which leaves folders to the umask: an image's user must read what it copies."""
    member = tarfile.data_filter(member, path)
    return member.replace(mode=0o755, deep=False) if member.isdir() else member


def describe(image: Path, repository: str, commit: str, environment: str) -> None:
    """Add to an unpacked tree what makes it an image."""
    (image / "env").symlink_to(f"../environments/{environment}")
    facts = {
        "repository": repository,
        "commit": commit,
        "environment": environment,
        "python": platform.python_version(),
    }
    (image / "image.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(LAUNCHER, image / "run")
    (image / "run").chmod(0o755)


def write_ref(ref: str) -> None:
    """Note the image of this working copy in build/image.ref."""
    REF_FILE.parent.mkdir(exist_ok=True)
    REF_FILE.write_text(ref + "\n", encoding="utf-8")


def read_ref() -> str:
    """The image of this working copy. Raises ImageError."""
    try:
        return REF_FILE.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImageError(f"There is no {REF_FILE} in {Path.cwd()}; run `ci image` first.") from error
