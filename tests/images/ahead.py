"""Build the sandbox's own images, as the live tests' first `make up` would: beside tests that mostly wait.

From a clone of the last commit, whose .env is that of those tests. Needs the stand-ins (build.py).
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from machines import Docker

ROOT = Path(__file__).parents[2]
PREPARE = "from sandbox.start import prepare; prepare()"


def absolute(path: str) -> Path:
    return Path(path).absolute()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--override", type=absolute, required=True, help="the stand-ins' Compose file")
    parser.add_argument("--clone", type=absolute, required=True, help="folder of the clone, made anew")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(arguments.clone)], check=True)
    (arguments.clone / ".env").write_text(Docker(str(arguments.override)).prepare(arguments.clone))
    # Its own code, which knows its own folder, in the environment of this tree.
    path = f"PYTHONPATH={arguments.clone / 'scripts'}"
    subprocess.run(["env", path, sys.executable, "-c", PREPARE], cwd=arguments.clone, check=True)
    shutil.rmtree(arguments.clone)  # its .env holds passwords


if __name__ == "__main__":
    main()
