#!/bin/sh
''''exec "$(dirname "$0")/env/bin/python" -I "$0" "$@" # '''
# The line above is a command to sh and a string to Python: a #! line can name no path relative to this file.
"""Runs its arguments in a fresh copy of this image's tree, the image's programs first on PATH."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


def main() -> int:
    """Exit code of the command; 128 and the signal's number where a signal ended it."""
    if len(sys.argv) < 2:
        sys.stderr.write(f"Usage: {sys.argv[0]} ARGV…\n")
        return 2
    image = Path(sys.argv[0]).resolve().parent
    for number in FORWARDED:
        signal.signal(number, leave)
    scratch = Path(tempfile.mkdtemp(prefix="image-run-"))
    try:
        shutil.copytree(image / "tree", scratch / "tree", symlinks=True)
        return run(sys.argv[1:], image, scratch / "tree")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(argv: list[str], image: Path, folder: Path) -> int:
    """Run a command to its end; signals that reach us reach it."""
    programs = image.resolve() / "env" / "bin"
    env = {**os.environ, "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}", "PWD": str(folder)}
    env["VIRTUAL_ENV"] = str(programs.parent)
    program = shutil.which(argv[0], path=env["PATH"]) if "/" not in argv[0] else argv[0]
    try:
        child = subprocess.Popen([program or argv[0], *argv[1:]], cwd=folder, env=env)
    except OSError as error:
        sys.stderr.write(f"Cannot run {argv[0]!r} in the image: {error.strerror}.\n")
        return 127
    for number in FORWARDED:
        signal.signal(number, lambda number, frame: child.send_signal(number))
    code = child.wait()
    return code if code >= 0 else 128 - code


def leave(number: int, frame: object) -> None:
    """End before the command has started, the scratch folder removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
