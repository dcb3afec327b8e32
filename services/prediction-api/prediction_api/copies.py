"""Checksummed copies of served models on disk, so that the service starts while MLflow is away.

models/<name>/<version>/checksums.json   identity, and sha256 by file
models/<name>/<version>/model/           the logged model's files
models/current.json                      identity of the version served last
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prediction_api.errors import Refusal
from prediction_api.identity import Identity
from prediction_api.registry import Registry
from prediction_api.storage import locked, write_json

CHECKSUMS = "checksums.json"
FILES = "model"
#: A logged model may not be larger; it guards the disk, not the memory.
MAX_MODEL_BYTES = 2 << 30


class Copies:
    """The copies of one instance; shared by its workers."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        self._current = folder / "current.json"
        self._lock = folder / ".lock"

    def current(self) -> Identity | None:
        """The version served last; None if there was none, Refusal if the note is unreadable."""
        if not self._current.exists():
            return None
        return _read_identity(self._current)

    def verified(self, identity: Identity) -> Path:
        """The folder with the copied files; Refusal if it is absent, another version's or damaged."""
        place = self._place(identity)
        if _read_identity(place / CHECKSUMS) != identity:
            raise Refusal(f"the copy in {place} is of another version")
        for path, checksum in _read(place / CHECKSUMS, "files").items():
            if _sha256(place / FILES / path) != checksum:
                raise Refusal(f"the copy in {place} is damaged: the checksum of {path} differs")
        return place / FILES

    def fetch(self, identity: Identity, registry: Registry) -> Path:
        """The folder with the files, downloaded unless a sound copy is there; one worker downloads.

        Raises RegistryError if MLflow fails and Refusal if the version cannot be stored.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(self._lock):
                try:
                    return self.verified(identity)
                except Refusal:
                    self._download(identity, registry)
                return self.verified(identity)
        except OSError as error:
            raise Refusal(
                f"its copy cannot be written below {self._folder}: {error.strerror or error}"
            ) from error

    def serve(self, identity: Identity) -> None:
        """Note that this version serves, and drop the copies beyond those to keep."""
        with locked(self._lock):
            os.utime(self._place(identity))
            write_json(self._current, {"identity": identity.as_dict()})
            self._prune()

    def forget(self) -> None:
        """Note that nothing serves; the copies stay until others take their places."""
        with locked(self._lock):
            self._current.unlink(missing_ok=True)

    def _place(self, identity: Identity) -> Path:
        return self._folder / _file_name(identity.name) / _file_name(identity.version)

    def _download(self, identity: Identity, registry: Registry) -> None:
        place = self._place(identity)
        draft = place.with_name(f".{place.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        (draft / FILES).mkdir(parents=True)
        try:
            checksums = _download_files(draft / FILES, identity, registry)
            write_json(draft / CHECKSUMS, {"identity": identity.as_dict(), "files": checksums})
            shutil.rmtree(place, ignore_errors=True)
            draft.replace(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _prune(self) -> None:
        # Downloads hold the same lock, so a draft seen here is what a killed one left.
        for draft in self._folder.glob("*/.*.new"):
            shutil.rmtree(draft, ignore_errors=True)
        places = [path.parent for path in self._folder.glob(f"*/*/{CHECKSUMS}")]
        for place in sorted(places, key=lambda path: path.stat().st_mtime, reverse=True)[self._keep :]:
            shutil.rmtree(place, ignore_errors=True)


def _download_files(folder: Path, identity: Identity, registry: Registry) -> dict[str, str]:
    root = registry.artifact_root(identity)
    files = registry.files(root)
    if sum(size for _, size in files) > MAX_MODEL_BYTES:
        raise Refusal(f"its files are larger than {MAX_MODEL_BYTES} bytes together")
    checksums = {}
    for path, size in files:
        checksums[path], received = _store(folder / path, registry.download(root, path))
        if received != size:
            raise Refusal(f"its file {path} came with {received} bytes of {size}")
    return checksums


def _store(target: Path, pieces: Any) -> tuple[str, int]:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as stream:
        for piece in pieces:
            digest.update(piece)
            size += stream.write(piece)
        os.fsync(stream.fileno())
    return digest.hexdigest(), size


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _read(path: Path, key: str) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))[key])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} cannot be read: {type(error).__name__}") from error


def _read_identity(path: Path) -> Identity:
    try:
        return Identity.from_dict(_read(path, "identity"))
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{path} does not name a model version") from error


def _file_name(text: str) -> str:
    """The text as one file name: dots are quoted too, so that `..` is none."""
    return quote(text, safe="").replace(".", "%2E")
