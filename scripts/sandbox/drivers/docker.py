"""The docker driver: every service a container of one Compose project, all state in named volumes."""

import shutil
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from docker import DockerClient

from sandbox import console
from sandbox.compose import CONFIG_HASH, FILE, PROJECT, SERVICE, Compose, connect, docker_plugin
from sandbox.drivers import engine
from sandbox.drivers.base import Driver, Footprint, Probe, Ready, Service
from sandbox.drivers.cards import Card, read_cards
from sandbox.drivers.environment_files import render_dotenv, render_raw
from sandbox.drivers.images import build_missing, image_tags, publish_base
from sandbox.endpoints import docker_endpoints
from sandbox.errors import MachineError, ServiceError
from sandbox.settings import ROOT, Settings, ssh_public_key, write_private

# What is started before the rest, and what bootstrap may do then.
PHASES = (
    (("mysql", "minio", "registry", "engine"), ("mysql", "minio")),
    (("gitea",), ("gitea", "git")),
)
WAIT_SECONDS = 300  # for one phase to be healthy
STOP_SECONDS = 30
CA_IN_CONTAINERS = "/etc/sandbox/ca.pem"
CA_VARIABLES = (
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("GIT_SSL_CAINFO", "PIP_CERT", "NODE_EXTRA_CA_CERTS"),
)


class DockerDriver(Driver):
    """Docker Engine and Compose."""

    name = "docker"
    ports = (
        *("PREDICTION_API", "MLFLOW", "AIRFLOW", "CI", "GITEA", "MINIO", "MINIO_CONSOLE"),
        *("REGISTRY", "MYSQL", "PROMETHEUS", "ALERTMANAGER", "GRAFANA"),
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = ROOT / ".sandbox" / "docker"
        self.where = f"the volumes {settings.compose_project_name}_*"
        self.endpoints = docker_endpoints(settings)

    @cached_property
    def compose(self) -> Compose:
        """The project, with every value that its files ask for."""
        override = self.settings.compose_override
        return Compose(self.settings.compose_project_name, override, self._values(override))

    @cached_property
    def cards(self) -> dict[str, Card]:
        """What people are told of each service, in the order of the layers."""
        return read_cards(FILE, self.settings.as_environment())

    @cached_property
    def engine(self) -> DockerClient:
        """The machine's Docker Engine. Raises MachineError."""
        return connect()

    def probe(self) -> Probe:
        try:
            version = connect().version()["Version"]
        except MachineError as error:
            return Probe(False, str(error).splitlines()[0])
        if not (plugin := docker_plugin("compose")):
            return Probe(False, f"Docker {version} answers, but has no Compose plugin")
        return Probe(True, f"Docker {version} and Compose {plugin} answer")

    def prepare(self) -> None:
        engine.check(self.engine, self.settings)
        self._write_files()
        engine.check_images(self.engine, self.compose)
        build_missing(self.engine, self.compose)

    def start(self) -> Iterator[Ready]:
        self._write_files()
        for services, provided in PHASES:
            changed = self._up(services)
            if "registry" in services and publish_base(
                self.engine, self.compose, self.endpoints.images.outside
            ):
                console.done("base image: in the registry")
            for name in provided:
                yield Ready(name, changed)
        yield Ready("everything", self._up(()))

    def stop(self) -> bool:
        running = any(container.status == "running" for container in self._containers())
        self.compose.run("stop", "--timeout", str(STOP_SECONDS))
        return running

    def services(self) -> list[Service]:
        containers = {container.labels[SERVICE]: container for container in self._containers()}
        used = self.compose.services
        names = [*filter(used.__contains__, self.cards), *(name for name in used if name not in self.cards)]
        return [self._service(name, containers.get(name)) for name in names]

    def logs(self, service: str, lines: int, follow: bool) -> Iterator[str]:
        if service and service not in self.compose.services:
            known = ", ".join(self.compose.services)
            raise ServiceError(f"There is no service {service!r}.", f"Services: {known}")
        return self.compose.logs(service, lines, follow)

    def footprint(self) -> Footprint:
        """Volumes and our own images, as the engine counts them."""
        used = self.engine.df()
        volumes = {
            f"volume {volume['Name']}": max(0, (volume.get("UsageData") or {}).get("Size", 0))
            for volume in used["Volumes"] or []
            if (volume.get("Labels") or {}).get(PROJECT) == self.compose.project
        }
        images = {f"image {image.tags[0]}": image.attrs["Size"] for image in self._own_images()}
        return Footprint(f"the containers, volumes and images of {self.compose.project}", volumes | images)

    def destroy(self) -> None:
        self._write_files()
        self.compose.run("down", "--volumes", "--remove-orphans", "--timeout", str(STOP_SECONDS))
        for image in self._own_images():
            self.engine.images.remove(image.id, force=True)
        shutil.rmtree(self.state.parent, ignore_errors=True)

    def _service(self, name: str, container: Any | None) -> Service:
        card = self.cards.get(name, Card())
        password = getattr(self.settings, card.password_setting.lower(), "")
        return Service(name, card.url, *health(container), card.user, password)

    def _up(self, services: tuple[str, ...]) -> bool:
        if self._stands(services or tuple(self.compose.services)):
            return False
        before = self._started()
        console.step(f"starting {', '.join(services) or 'everything else'}")
        try:
            self.compose.up(services, WAIT_SECONDS)
        except ServiceError as error:
            raise self._blame(error) from error
        return self._started() != before

    def _stands(self, services: tuple[str, ...]) -> bool:
        """Whether each of them is healthy and made from its present block: then Compose has nothing to do.

        Asked all the same, it would run every ended container again and take half a minute.
        """
        containers = {container.labels[SERVICE]: container for container in self._containers()}
        wanted = self.compose.hashes
        return all(
            name in containers
            and health(containers[name])[1]
            and containers[name].labels[CONFIG_HASH] == wanted.get(name)
            for name in services
        )

    def _blame(self, error: ServiceError) -> ServiceError:
        """The same failure, with the last lines of the services at fault."""
        ill = [s.name for s in self.services() if not s.healthy and s.detail != "not created"]
        lines = [line for name in ill[:3] for line in self.compose.logs(name, 15, follow=False)]
        said = "\n".join([str(error), *lines])
        return ServiceError(said, f"Run: make logs SERVICE={ill[0]}" if ill else error.hint)

    def _started(self) -> set[tuple[str, str]]:
        """Which containers run since when."""
        return {(c.id, c.attrs["State"]["StartedAt"]) for c in self._containers()}

    def _containers(self) -> list[Any]:
        label = f"{PROJECT}={self.settings.compose_project_name}"
        return list(self.engine.containers.list(all=True, filters={"label": label}))

    def _own_images(self) -> list[Any]:
        prefix = f"{self.settings.compose_project_name}/"
        return [i for i in self.engine.images.list() if any(tag.startswith(prefix) for tag in i.tags)]

    def _write_files(self) -> None:
        """loop.env, for the containers that read it."""
        write_private(self.state / "loop.env", render_raw(self.endpoints.loop_env(self.settings)))

    def _values(self, override: str) -> dict[str, str]:
        """What the Compose files are filled in with: .env, and what follows from it."""
        bundle = self.settings.ca_bundle
        derived = {
            "LOOP_ENV_FILE": str(self.state / "loop.env"),
            "LOOP_ENV_TEXT": render_dotenv(self.endpoints.loop_env(self.settings)),
            "JENKINS_AGENT_PUBLIC_KEY": ssh_public_key(self.settings.jenkins_agent_key),
            "CA_FILE": bundle or "/dev/null",
        }
        trusted = dict.fromkeys(CA_VARIABLES, CA_IN_CONTAINERS) if bundle else {}
        return self.settings.as_environment() | image_tags(override) | derived | trusted


def health(container: Any | None) -> tuple[bool, bool, str]:
    """Whether a container runs, whether it is healthy, and what to say of it."""
    if container is None:
        return False, False, "not created"
    state = container.attrs["State"]
    running, named = state["Running"], f"container {container.short_id}"
    if not running:
        ended = state["ExitCode"]
        once = container.attrs["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
        return False, once and ended == 0, f"{named}, ended with {ended}"
    health = state.get("Health")
    if health is None or health["Status"] == "healthy":
        return True, True, f"{named}, since {state['StartedAt'][:19]}"
    said = health["Log"][-1]["Output"].strip().splitlines()[-1:] if health["Log"] else []
    return True, False, f"{named}, {health['Status']}" + "".join(f": {line[:200]}" for line in said)
