"""Python environments, each made once from a lock file and shared by every image with that lock."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci.bytecode import share_bytecode
from ci.errors import ImageError

MARKER = ".complete"


@dataclass(frozen=True)
class Environments:
    """The environments in one folder."""

    folder: Path

    def key(self, lock: bytes) -> str:
        """What an environment depends on: lock, Python version and platform."""
        parts = (lock, platform.python_version().encode(), sysconfig.get_platform().encode())
        return hashlib.sha256(
            b"\n".join(hashlib.sha256(part).hexdigest().encode() for part in parts)
        ).hexdigest()

    def build(self, lock: Path, tested: Path) -> str:
        """Make the environment of a lock file where it is not complete; its key. Raises ImageError.

        What the environment `tested` has compiled already is taken over.
        """
        try:
            key = self.key(lock.read_bytes())
        except OSError as error:
            raise ImageError(
                "The commit has no requirements.lock; compile one with uv and commit it."
            ) from error
        target = self.folder / key
        with locked(self.folder / f"{key}.lock"):
            if not (target / MARKER).exists():
                # made in its final place: a virtual environment holds its own path
                shutil.rmtree(target, ignore_errors=True)
                install(target, lock)
                share_bytecode(tested, target)
                (target / MARKER).touch()
            os.utime(target)  # used now: retention takes the one that was used longest ago
        return key


def install(target: Path, lock: Path) -> None:
    """Make a virtual environment with exactly the locked packages. Raises ImageError."""
    run_uv("venv", "--quiet", "--python", sys.executable, str(target))
    python = str(target / "bin" / "python")
    run_uv("pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock))


def run_uv(*arguments: str) -> None:
    """Run uv. Raises ImageError with its last words."""
    uv = shutil.which("uv")
    if uv is None:
        raise ImageError("There is no uv on PATH; install it, images are made with it.")
    env = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run([uv, *arguments], env=env, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise ImageError(
            f"uv {arguments[0]} failed with exit {done.returncode}: {done.stderr.strip()[-2000:]}"
        )


@contextmanager
def locked(path: Path, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold a lock among all processes, alone or with all that share it; whoever comes second waits.

    Raises BlockingIOError where it is held and one is not to wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield
