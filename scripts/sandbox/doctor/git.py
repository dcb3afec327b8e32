"""Checks of where pushes arrive: Gitea's users and hooks, or the hooks of bare repositories."""

import os
from pathlib import Path

from sandbox.clients.gitea import ADMIN, Gitea, Login
from sandbox.doctor.check import Absent, Broken, Case
from sandbox.endpoints import LOOP
from sandbox.errors import LoopError
from sandbox.git import git
from sandbox.settings import ORGANISATION, REPOSITORIES
from sandbox.steps.bare_repositories import HOOK, HOOKS_PATH, hook_text

# No command of Gitea gives that right to a user who is there already.
RAISE = (
    f"Another administrator gives {ADMIN} that right in Gitea: Site Administration, User Accounts. "
    "docs/doctor.md, D04, makes one"
)


def administrator(case: Case) -> str:
    """The login of .env is an administrator's."""
    user = Login(_api(case), ADMIN, case.settings.gitea_admin_password).user()
    if user is None:
        raise Absent("services/ci stands for Gitea here, and has no users")
    if not user["is_admin"]:
        raise Broken(f"{ADMIN} logs in, but is no administrator", RAISE)
    return f"{ADMIN} logs in"


def loop_user(case: Case) -> str:
    """The login of builds and tasks writes to the repositories, and may do no more."""
    login = Login(_api(case), LOOP, case.settings.ci_token)
    if (login.user() or {}).get("is_admin"):
        raise Broken(
            f"{LOOP} is an administrator of Gitea and must not be", f"Take that right from {LOOP} in Gitea"
        )
    rights = {name: login.rights(ORGANISATION, name) for name in REPOSITORIES}
    if lacking := [name for name in REPOSITORIES if "push" not in rights[name]]:
        raise Broken(f"{LOOP} logs in, but may not write to {', '.join(lacking)}")
    if more := [name for name in REPOSITORIES if "admin" in rights[name]]:
        raise Broken(
            f"{LOOP} is an administrator of {', '.join(more)} and must not be",
            f"Make {LOOP} a collaborator with the right to write there, in Gitea",
        )
    return f"{LOOP} logs in, writes to {', '.join(REPOSITORIES)} and is no administrator"


def hooks(case: Case) -> str:
    """Each repository tells CI of its pushes, with the secret of .env."""
    gitea = Gitea(_api(case), case.settings.gitea_admin_password)
    address, secret = case.context.endpoints.hook_url, case.settings.ci_webhook_secret
    faults = {
        name: gitea.push_hook_fault(ORGANISATION, name, f"{address}?token={name}", secret)
        for name in REPOSITORIES
    }
    if wrong := [f"{name}: {fault}" for name, fault in faults.items() if fault]:
        raise Broken("; ".join(wrong))
    return f"active and signed in {', '.join(REPOSITORIES)}"


def bare_hooks(case: Case) -> str:
    """Each bare repository has the hook that tells CI, and Git looks for it there."""
    root, text = case.context.endpoints.git.folder, hook_text(case.context.driver.state)
    faults = {name: _hook_fault(root / f"{name}.git", text) for name in REPOSITORIES}
    if wrong := [f"{name}: {fault}" for name, fault in faults.items() if fault]:
        raise Broken("; ".join(wrong))
    return f"in place and executable in {', '.join(REPOSITORIES)}"


def _hook_fault(repository: Path, text: str) -> str:
    """What bootstrap would change at the hook of a bare repository, or nothing."""
    hook = repository / "hooks" / HOOK
    if not (hook.is_file() and os.access(hook, os.X_OK)):
        return f"{hook} is not there or not executable"
    if hook.read_text(errors="replace") != text:
        return f"{hook} is another program"
    try:
        path = git("config", "--local", "--get", HOOKS_PATH, folder=repository)
    except LoopError:  # Git's exit code 1: it has no such line
        path = ""
    return "" if path == str(hook.parent) else f"{HOOKS_PATH} is {path or 'not set'}, not {hook.parent}"


def _api(case: Case) -> str:
    return case.context.endpoints.status.outside
