"""Fetch one data version through DVC, and prove that it is the one asked for.

Runs as a child process: DVC stays apart from the training's libraries, keeps its state in a folder that is
thrown away, and works while the parent is still importing.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from model_training.errors import TrainingError, UnavailableError
from model_training.report import FAILED, PASSED, first_line, run_task
from model_training.settings import DataSource, private_environment

STAGE = "split"
REMOTE = "store"
LIMIT_SECONDS = 600


class Download:
    """A data version on its way into `folder`."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self.folder = folder

    def wait(self) -> Path:
        """The folder once it is complete; raise TrainingError or UnavailableError with the child's reason."""
        try:
            output, _ = self._process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"The data did not arrive within {LIMIT_SECONDS} seconds.") from error
        if self._process.returncode == PASSED:
            return self.folder
        kind = TrainingError if self._process.returncode == FAILED else UnavailableError
        raise kind(_reason(output, self._process.returncode))


@contextmanager
def start_download(data_version: str = "") -> Iterator[Download]:
    """Begin to fetch `data_version`, or the one that the environment names; on leaving, all of it is gone."""
    with TemporaryDirectory(prefix="model-training-") as scratch:
        data, state = Path(scratch, "data"), Path(scratch, "state")
        data.mkdir()
        state.mkdir()
        command = [sys.executable, "-m", "model_training.download", str(data)]
        environment = private_environment(state, data_version)
        with subprocess.Popen(  # noqa: S603 -- this module, run by this Python
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                yield Download(process, data)
            finally:
                process.kill()


def fetch(settings: DataSource, folder: Path) -> dict[str, Any]:
    """Write the outputs of the stage into `folder`; each must match dvc.lock, and that the data version."""
    with closing(_Repository(settings)) as repository:
        lock = _outputs(repository.read("dvc.lock"), settings.data_tag)
        _check_version(lock, settings)
        for path, expected in lock.items():
            (folder / Path(path).name).write_bytes(_checked(repository.read(path), path, expected, settings))
    return {"state": "passed", "detail": f"Fetched {settings.data_tag}."}


def _checked(content: bytes, path: str, expected: str, settings: DataSource) -> bytes:
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise TrainingError(
            f"{path} has the md5 {found}, but dvc.lock at {settings.data_tag} says {expected}; "
            f"the DVC remote {settings.dvc_remote_url} is damaged: push that version to it again."
        )
    return content


class _Repository:
    """The data repository at the data tag; files come from Git or from the DVC remote."""

    def __init__(self, settings: DataSource) -> None:
        from dvc.api import DVCFileSystem

        self._settings = settings
        self._files = DVCFileSystem(
            repo=settings.data_repository,
            rev=settings.data_tag,
            remote=REMOTE,
            config={
                "core": {"analytics": False},
                "remote": {REMOTE: {"url": _location(settings.dvc_remote_url)}},
            },
        )

    def close(self) -> None:
        """Let go of the clone."""
        self._files.close()

    def read(self, path: str) -> bytes:
        """The content of a file; raise TrainingError if it is absent, UnavailableError if out of reach."""
        from dvc.scm import CloneError, RevError

        where = self._settings
        try:
            return self._files.read_bytes(path)
        except RevError as error:
            raise TrainingError(
                f"{where.data_repository} has no tag {where.data_tag}; run the data task for it first."
            ) from error
        except FileNotFoundError as error:
            raise TrainingError(
                f"{path} of {where.data_tag} is neither in Git nor in the DVC remote {where.dvc_remote_url}; "
                "push that version to the remote again."
            ) from error
        except CloneError as error:
            raise UnavailableError(
                f"Cannot clone {where.data_repository}: {first_line(error.__cause__ or error)}"
            ) from error
        except Exception as error:  # fsspec stores raise what their client library raises
            raise UnavailableError(
                f"Cannot read {path} from {where.dvc_remote_url}: {first_line(error)}."
            ) from error


def _outputs(lock: bytes, tag: str) -> dict[str, str]:
    """md5 by path of what the stage wrote."""
    try:
        outs = yaml.safe_load(lock)["stages"][STAGE]["outs"]
        return {out["path"]: out["md5"] for out in outs}
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise TrainingError(
            f"dvc.lock at {tag} has no stage {STAGE!r} with md5 sums; run the data task again."
        ) from error


def _check_version(lock: dict[str, str], settings: DataSource) -> None:
    lines = "".join(f"{path} {md5}\n" for path, md5 in sorted(lock.items()))
    found = hashlib.sha256(lines.encode()).hexdigest()[:12]
    if found != settings.data_version:
        raise TrainingError(
            f"dvc.lock at {settings.data_tag} describes the data version {found}: the tag was moved; "
            "delete it and run the data task again."
        )


def _location(url: str) -> str:
    """DVC takes a path for a local remote and an URL for any other."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else url


def _reason(output: str, code: int) -> str:
    try:
        return json.loads(output.splitlines()[-1])["detail"]
    except (IndexError, ValueError, KeyError):
        return f"The download of the data ended with exit code {code} and no reason; see the log above."


if __name__ == "__main__":
    sys.exit(run_task(lambda: fetch(DataSource.from_env(), Path(sys.argv[1]))))
