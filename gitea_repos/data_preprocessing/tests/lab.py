"""What the task works on: a bare repository with this project and the tests' own parameters, and stores."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from samples import PROJECT, TESTS

from data_preprocessing import git

SHIPPED = (".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml", "data_preprocessing")


class Lab:
    """A bare repository with this project, a raw table, a data store and a scratch folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        seed, bare = root / "seed", root / "git/data_preprocessing.git"
        git.run_git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        git.clone(bare.as_uri(), seed)
        for name in SHIPPED:
            (seed / name).parent.mkdir(exist_ok=True)
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy(PROJECT / name, seed / name)
        shutil.copy(TESTS / "params.yaml", seed)
        git.run_git(seed, "add", ".")
        git.run_git(seed, "commit", "--quiet", "--message", "start")
        git.run_git(seed, "push", "--quiet", "origin", "HEAD:main")
        self.bare, self.commit = bare, git.run_git(seed, "rev-parse", "HEAD")
        for name in ("raw", "tmp", "home"):
            (root / name).mkdir()
        shutil.copy(TESTS / "iris.csv", root / "raw/iris.csv")

    @property
    def environ(self) -> dict[str, str]:
        """What the loop gives the task, and nothing else."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "GIT_URL": (self.root / "git").as_uri(),
            "DATA_URL": (self.root / "raw").as_uri(),
            "DVC_REMOTE_URL": (self.root / "store").as_uri(),
            "MLFLOW_TRACKING_URI": (self.root / "mlflow").as_uri(),
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "DATA_COMMIT": self.commit,
            "LOOP_RUN_ID": "manual-1",
            "BUILD_URL": "http://ci/1",
            "IMAGE": "env:sha256:0",
        }

    def start(self, **changes: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "data_preprocessing"],
            cwd=PROJECT,
            env={**self.environ, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finish(process: subprocess.Popen) -> tuple[int, dict, str]:
    """Wait for a task and return its exit code, its last line as an object and all output."""
    output, _ = process.communicate(timeout=120)
    return process.returncode, json.loads(output.splitlines()[-1]), output
