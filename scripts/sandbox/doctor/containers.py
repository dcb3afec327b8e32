"""Checks from inside: what one container reaches of another."""

import base64
from collections.abc import Mapping
from typing import cast

from sandbox.compose import PROJECT, SERVICE, connect, explained
from sandbox.doctor.check import Broken, Case
from sandbox.endpoints import LOOP
from sandbox.git import LOGIN
from sandbox.settings import REPOSITORIES

SECONDS = 10  # of a command in a container
TIMED_OUT = 124  # the exit code of timeout(1)


def reach_jenkins(case: Case) -> str:
    """The name of Jenkins resolves in Gitea's container, and it answers there."""
    address = f"{case.context.endpoints.ci.inside}/login"
    _execute(case, "gitea", ("wget", "-qO", "/dev/null", address))
    return f"{address} answers in the container gitea"


def clone(case: Case) -> str:
    """The agent reads each repository with the login of builds."""
    address = LOGIN.sub("//", case.context.endpoints.git.inside)
    for name in REPOSITORIES:
        command = ("git", "ls-remote", "--exit-code", f"{address}/{name}.git", "refs/heads/main")
        _execute(case, "jenkins-agent", command, _git_login(LOOP, case.settings.ci_token))
    return f"git ls-remote in the container jenkins-agent sees main of {', '.join(REPOSITORIES)}"


def engine(case: Case) -> str:
    """The agent's Docker is the engine of builds, and answers."""
    said = _execute(case, "jenkins-agent", ("docker", "version", "--format", "{{.Server.Version}}"))
    return f"Docker {said} answers in the container jenkins-agent"


def _git_login(user: str, password: str) -> dict[str, str]:
    """As a header by Git's environment: no list of processes and no configuration ever has it."""
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _execute(
    case: Case, service: str, command: tuple[str, ...], environment: Mapping[str, str] | None = None
) -> str:
    """What a command says in a service's container. Raises Broken with its last words."""
    labels = [f"{PROJECT}={case.settings.compose_project_name}", f"{SERVICE}={service}"]
    with explained():
        found = connect().containers.list(filters={"label": labels})
        if not found:
            raise Broken(f"there is no running container {service}", "Run: make up")
        result = found[0].exec_run(["timeout", str(SECONDS), *command], environment=dict(environment or {}))
    said = cast(bytes, result.output).decode(errors="replace").strip()  # an iterator only for a stream
    shown = f"`{' '.join(command)}` in the container {service}"
    if result.exit_code == TIMED_OUT:
        raise Broken(f"{shown} had no answer within {SECONDS} s")
    if result.exit_code:
        raise Broken(f"{shown} ended with {result.exit_code}: {said[-300:] or 'it says no more'}")
    return said
