"""The only place that runs `docker`: Compose by its command, the engine by Docker's SDK."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import docker
import requests
from docker import DockerClient
from docker.errors import DockerException

from sandbox.errors import MachineError, ServiceError
from sandbox.settings import ROOT, docker_environment

FILE = ROOT / "compose" / "compose.yaml"
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
CONFIG_HASH = "com.docker.compose.config-hash"
FOLDER = "com.docker.compose.project.working_dir"
CONFIG_HINT = "Look at COMPOSE_PROJECT_NAME, COMPOSE_OVERRIDE and CA_BUNDLE in .env, then: make up"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
CALL_SECONDS = 60  # of a call to the engine
LAST_WORDS = 1500  # characters of a failed command that are shown
PROGRESS = re.compile(r"^ *(Container|Network|Volume) \S+ +[A-Z][a-z]+ *\n", re.MULTILINE)


class Compose:
    """One Compose project: its files, and the values that they are filled in with."""

    def __init__(self, project: str, override: str, values: Mapping[str, str]) -> None:
        self.project = project
        self.files = [FILE, *([Path(override)] if override else [])]
        self.environment = docker_environment() | dict(values) | {"COMPOSE_PROJECT_NAME": project}

    def run(self, *arguments: str) -> str:
        """What `docker compose` prints. Raises ServiceError with its own last words."""
        result = self._call(*arguments)
        if result.returncode:
            said = PROGRESS.sub("", result.stderr).strip()[-LAST_WORDS:]
            raise ServiceError(f"docker compose {arguments[0]} failed:\n{said}", _hint(arguments[0], said))
        return result.stdout

    def up(self, services: Sequence[str], seconds: int) -> None:
        """Start services, everything they depend on included, until healthy. Raises ServiceError."""
        wait = ("--wait", "--wait-timeout", str(seconds), "--no-build", "--quiet-pull")
        self.run("up", "--detach", *wait, *(services or ("--remove-orphans",)))

    def build(self, services: Sequence[str]) -> None:
        """Build the images of services. Raises ServiceError with the builder's last words."""
        # Names only: the values come from the environment, which no list of processes shows.
        arguments = [word for name in self.proxies for word in ("--build-arg", name)]
        self.run("--progress", "plain", "build", *arguments, *services)

    def logs(self, service: str, lines: int, follow: bool) -> Iterator[str]:
        """The newest lines of one service or of all. Raises ServiceError."""
        more = [*(["--follow"] if follow else []), *([service] if service else [])]
        command = [*self._command, "logs", "--no-color", "--tail", str(lines), *more]
        with (
            _installed(),
            subprocess.Popen(
                command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ) as process,
        ):
            line = ""
            for line in process.stdout or ():
                yield line.rstrip("\n")
        if process.returncode:
            raise ServiceError(f"docker compose logs failed: {line.strip()}", "Run: make status")

    @property
    def proxies(self) -> dict[str, str]:
        """The proxy variables of .env that are set."""
        return {name: self.environment[name] for name in PROXIES if self.environment.get(name)}

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """All files as one document, values filled in. Raises ServiceError that names a missing value."""
        return dict(json.loads(self.run("config", "--format", "json")))

    @cached_property
    def hashes(self) -> dict[str, str]:
        """What Compose would label each service's container with: another one is made anew."""
        lines = self.run("config", "--hash", "*").splitlines()
        return dict(line.split() for line in lines)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Every service that is to run, by its name."""
        return dict(self.configuration["services"])

    @property
    def _command(self) -> list[str]:
        files = [word for path in self.files for word in ("--file", str(path))]
        # .env reaches Compose by the environment alone: read by itself, a dollar sign would be a variable.
        return ["docker", "compose", *files, "--env-file", "/dev/null"]

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *arguments]
        with _installed():
            return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


@contextmanager
def _installed() -> Iterator[None]:
    """Raises MachineError where there is no `docker` command."""
    try:
        yield
    except FileNotFoundError as error:
        raise MachineError("P10 The command docker is not installed.", "Install Docker Engine") from error


@contextmanager
def explained() -> Iterator[None]:
    """Raise what the engine says as MachineError with a code."""
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        said = getattr(error, "explanation", None) or error
        raise MachineError(f"P21 Docker did not do what it was asked: {said}", "Run: docker info") from error


def connect() -> DockerClient:
    """The engine that the `docker` command talks to, whatever its context is. Raises MachineError."""
    try:
        return docker.DockerClient(base_url=_address(), timeout=CALL_SECONDS, version="auto", tls=_tls())
    except (DockerException, OSError, subprocess.SubprocessError) as error:
        raise MachineError(
            f"P10 Docker does not answer: {str(error)[:300]}",
            "Start Docker (systemctl start docker, or Docker Desktop), then: make up. "
            "Without Docker: set DRIVER=embedded in .env, a sandbox of its own with its own data",
        ) from error


def execute(
    project: str, service: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit code and output of a command in a service's container. Raises ServiceError where none runs."""
    labels = [f"{PROJECT}={project}", f"{SERVICE}={service}"]
    with explained():
        found = connect().containers.list(filters={"label": labels})
        if not found:
            raise ServiceError(f"The project {project} has no running container {service}.", "Run: make up")
        result = found[0].exec_run(list(command), environment=dict(environment or {}))
    said = cast(bytes, result.output).decode(errors="replace")  # an iterator only where asked for a stream
    return result.exit_code or 0, said


def docker_plugin(name: str) -> str:
    """The version of a plugin of the `docker` command, empty where there is none."""
    result = subprocess.run(
        ["docker", name, "version"], env=docker_environment(), capture_output=True, text=True, check=False
    )
    words = [word.lstrip("v") for word in result.stdout.split()]
    return next((word for word in words if word[:1].isdigit()), "") if not result.returncode else ""


def manifest(image: str, proxies: Mapping[str, str]) -> list[dict[str, Any]]:
    """The manifests behind an image's name, as the `docker` command itself gets them; empty: no answer."""
    command = ["docker", "manifest", "inspect", "--verbose", image]
    environment = docker_environment() | dict(proxies)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = json.loads(result.stdout) if not result.returncode else []
    return found if isinstance(found, list) else [found]


def _hint(command: str, said: str) -> str:
    """What mends a failed command of Compose."""
    if "address already in use" in said:  # somebody took it after the ports were looked at
        return "Run: make up (it moves to a free port)"
    return CONFIG_HINT if command == "config" else "Run: make logs"


def _address() -> str:
    environment = docker_environment()
    if host := environment.get("DOCKER_HOST"):
        return host
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def _tls() -> Any:
    environment = docker_environment()
    folder = environment.get("DOCKER_CERT_PATH")
    if not (folder and environment.get("DOCKER_TLS_VERIFY")):
        return False
    return docker.tls.TLSConfig(
        client_cert=(f"{folder}/cert.pem", f"{folder}/key.pem"), ca_cert=f"{folder}/ca.pem", verify=True
    )
