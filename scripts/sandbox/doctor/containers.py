"""Checks from inside: what one container reaches of another."""

import base64
from collections.abc import Mapping

from sandbox.compose import execute
from sandbox.doctor.check import Broken, Case
from sandbox.drivers.images import BASE, BASE_TAG
from sandbox.endpoints import LOOP
from sandbox.git import LOGIN
from sandbox.settings import REPOSITORIES

AGENT = "jenkins-agent"  # of the services
SECONDS = 10  # of a command in a container
PULL_SECONDS = 20  # of one that may have to fetch an image
TIMED_OUT = (124, 143)  # exit codes of timeout(1): GNU's, and that of BusyBox
LAST_WORDS = 300  # characters of a failed command that are shown


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
        _execute(case, AGENT, command, _git_login(LOOP, case.settings.ci_token))
    return f"git ls-remote in the container {AGENT} sees main of {', '.join(REPOSITORIES)}"


def engine(case: Case) -> str:
    """The agent's Docker is the engine of builds, and answers."""
    said = _execute(case, AGENT, ("docker", "version", "--format", "{{.Server.Version}}"))
    return f"Docker {said} answers in the container {AGENT}"


def pull(case: Case) -> str:
    """The engine of builds gets the base image from the registry, as each build does: then it has it."""
    image = f"{case.context.endpoints.images.inside}/{BASE}:{BASE_TAG}"
    _execute(case, AGENT, ("docker", "pull", "--quiet", image), seconds=PULL_SECONDS)
    return f"docker pull {image} works in the container {AGENT}"


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
    case: Case,
    service: str,
    command: tuple[str, ...],
    environment: Mapping[str, str] | None = None,
    seconds: int = SECONDS,
) -> str:
    """What a command says in a service's container. Raises Broken with its last words."""
    limited = ("timeout", str(seconds), *command)
    code, said = execute(case.settings.compose_project_name, service, limited, environment)
    shown = f"`{' '.join(command)}` in the container {service}"
    if code in TIMED_OUT:
        raise Broken(f"{shown} had no answer within {seconds} s")
    if code:
        last_words = case.discreet(said)[-LAST_WORDS:]
        raise Broken(f"{shown} ended with {code}: {last_words or 'it says no more'}")
    return said.strip()
