"""DVC, in this process and kept apart from the user's own configuration and caches.

Starting the `dvc` command costs a second and a half each time; one import serves every call here.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from data_preprocessing.console import redact
from data_preprocessing.errors import Rejected, Unavailable
from data_preprocessing.layout import FAILURE, read_json
from data_preprocessing.versions import name_version, read_outputs

if TYPE_CHECKING:
    from dvc.repo import Repo


@contextmanager
def isolate(scratch: Path) -> Iterator[None]:
    """Keep DVC's configuration, caches and locks below the scratch folder, and its stages on this Python."""
    changes = {
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(scratch / "dvc-global"),
        "DVC_SYSTEM_CONFIG_DIR": str(scratch / "dvc-system"),
        "DVC_SITE_CACHE_DIR": str(scratch / "dvc-site"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def open_project(folder: Path, remote_url: str, cache: Path) -> Iterator[Repo]:
    """Yield the DVC project in a folder, its remote `store` at the URL and its cache at the path.

    DVC takes the names of stages and files from the working directory: it is the project's meanwhile.
    """
    from dvc.repo import Repo

    config = {
        "core": {"remote": "store", "analytics": False, "check_update": False},
        "cache": {"dir": str(cache)},
        "remote": {"store": {"url": locate(remote_url)}},
    }
    with chdir(folder), Repo(str(folder), config=config) as project:
        yield project


def locate(remote_url: str) -> str:
    """Return the URL as DVC takes it: a `file://` URL becomes its path."""
    parts = urlsplit(remote_url)
    return unquote(parts.path) if parts.scheme == "file" else remote_url


def reproduce(project: Repo) -> None:
    """Run the pipeline; raise what stopped a stage, by the reason that it left behind."""
    from dvc.exceptions import DvcException

    failure = Path(project.root_dir) / FAILURE
    try:
        project.reproduce()
    except DvcException as error:
        if not failure.exists():
            raise Unavailable(
                f"dvc repro broke down ({_explain(error)}): the log above has the cause."
            ) from error
        reason = read_json(failure)
        raise (Rejected if reason["rejected"] else Unavailable)(reason["detail"]) from None


def push_outputs(project: Repo, remote_url: str) -> int:
    """Bring the outputs to the remote and return how many files were new there."""
    try:
        return project.push()
    except Exception as error:  # DVC lets the remote's file system raise its own types
        raise Unavailable(f"The data store {redact(remote_url)} takes no data: {_explain(error)}.") from error


def pull_version(project: Repo, remote_url: str) -> str:
    """Bring the outputs of the checked-out tag back and return their data version.

    Raises Rejected when the store no longer has them or has other bytes, Unavailable when it does not answer.
    """
    from dvc.exceptions import CheckoutError

    where = redact(remote_url)
    try:
        project.pull(targets=["split"])
    except CheckoutError:
        raise Rejected(
            f"The data store {where} lacks files of this version: choose another version."
        ) from None
    except Exception as error:  # as in push_outputs; DVC's DownloadError is a store that does not answer
        raise Unavailable(f"The data store {where} gives no data: {_explain(error)}.") from error
    outputs = read_outputs(Path(project.root_dir))
    for path, md5 in outputs.items():
        if _hash_file(Path(project.root_dir) / path) != md5:
            raise Rejected(
                f"The data store {redact(remote_url)} has other bytes for {path} than dvc.lock says."
            )
    return name_version(outputs)


def _hash_file(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _explain(error: Exception) -> str:
    return redact(str(error) or type(error).__name__).splitlines()[0].rstrip(".")
