"""Bare repositories whose post-receive hook tells CI about each push."""

import shlex
from pathlib import Path

from sandbox.context import Context
from sandbox.drivers.processes import executable
from sandbox.git import git
from sandbox.settings import REPOSITORIES

HOOK = "post-receive"
HOOKS_PATH = "core.hooksPath"


def run(context: Context) -> str:
    """Create the repositories that are missing; keep every hook as it should be."""
    root = context.endpoints.git.folder
    root.mkdir(parents=True, exist_ok=True)
    missing = [name for name in REPOSITORIES if not (root / f"{name}.git").exists()]
    for name in missing:
        git("init", "--quiet", "--bare", "--initial-branch=main", f"{name}.git", folder=root)
    for name in REPOSITORIES:
        hooks = root / f"{name}.git" / "hooks"
        git("config", HOOKS_PATH, str(hooks), folder=hooks.parent)  # a global one would win
        _write_hook(hooks / HOOK, hook_text(context.driver.state))
    return f"made {', '.join(missing)}" if missing else ""


def hook_text(state: Path) -> str:
    """The program that runs after a push."""
    command = [executable(state, "ci", "ci"), "hook", "--env", str(state / "ci.env")]
    return f"#!/bin/sh\nexec {shlex.join(command)}\n"


def _write_hook(hook: Path, text: str) -> None:
    if not hook.exists() or hook.read_text() != text:
        hook.write_text(text)
        hook.chmod(0o755)
