"""`sandbox clone`: a clone that can be pushed, pulled with DVC and committed to at once."""

import subprocess
from pathlib import Path

from sandbox import console
from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.git import IDENTITY, git
from sandbox.settings import machine_environment, write_private


def clone_repository(context: Context, repository: str, folder: Path) -> Path:
    """Clone into `folder`, which must not exist or be empty. Raises LoopError."""
    target = folder.resolve()
    if target.exists() and any(target.iterdir()):
        raise LoopError(
            f"{target} is there already and not empty.",
            f"Name another folder: sandbox clone {repository} DIR",
        )
    git("clone", "--quiet", context.endpoints.clone_url(repository), str(target), folder=Path.cwd())
    if not _knows_user(target):
        git("config", "user.name", IDENTITY["GIT_AUTHOR_NAME"], folder=target)
        git("config", "user.email", IDENTITY["GIT_AUTHOR_EMAIL"], folder=target)
        console.note(f"Git knows no user here: commits in this clone are by {IDENTITY['GIT_AUTHOR_NAME']}")
    (target / ".git" / "config").chmod(0o600)  # the address of origin may hold a password
    if (target / ".dvc").is_dir():
        options = "".join(f"    {key} = {value}\n" for key, value in context.endpoints.dvc_remote().items())
        write_private(
            target / ".dvc" / "config.local",
            f"[core]\n    remote = store\n['remote \"store\"']\n{options}",
        )
    return target


def _knows_user(folder: Path) -> bool:
    command = ["git", "config", "user.email"]
    return subprocess.run(command, cwd=folder, env=machine_environment(), capture_output=True).returncode == 0
