"""The docker driver: every service a container of one Compose project, all state in named volumes."""

import hashlib
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from docker import DockerClient

from sandbox import console
from sandbox.compose import CONFIG_HASH, FILE, PROJECT, SERVICE, Compose, connect, docker_plugin, explained
from sandbox.drivers import engine
from sandbox.drivers.alertmanager_file import alertmanager_file
from sandbox.drivers.base import Driver, Footprint, Probe, Ready, Service
from sandbox.drivers.cards import Card, read_cards
from sandbox.drivers.environment_files import render_dotenv, render_raw
from sandbox.drivers.images import MOUNTED_OF_JENKINS, build_missing, image_tags, own_tags, publish_base
from sandbox.endpoints import LOOP, docker_endpoints
from sandbox.errors import MachineError, SandboxError, ServiceError
from sandbox.settings import ORGANISATION, REPOSITORIES, ROOT, Settings, ssh_public_key, write_private

STATE = ROOT / ".sandbox-docker"
# What is started before the rest, and what bootstrap may do then.
PHASES = (
    (("mysql", "minio", "registry", "engine"), ("registry", "mysql", "minio")),
    (("gitea",), ("gitea", "gitea-users")),
    (("jenkins-agent", "jenkins"), ("jenkins", "git")),  # first commits are pushed when their hooks are there
)
# services/ci, where it stands for Gitea and Jenkins, has neither users nor hooks.
OF_REAL_SERVERS = {"gitea-users", "jenkins"}
WAIT_SECONDS = 300  # for one phase to be healthy
# The folders of mounted configuration: their digests are labels of the containers that read them.
MOUNTED = {
    "PROMETHEUS": ("prometheus/rules", "prometheus/prometheus.yml", "prometheus/blackbox.yml"),
    "STATSD": ("prometheus/statsd.yml",),
    "GRAFANA": ("grafana",),
    "JENKINS": tuple(f"jenkins/{folder}" for folder in sorted(MOUNTED_OF_JENKINS)),
}
CA_IN_CONTAINERS = "/etc/sandbox/ca.pem"
CA_VARIABLES = (
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("GIT_SSL_CAINFO", "PIP_CERT", "NODE_EXTRA_CA_CERTS"),
)


def known_project() -> str:
    """The project that this clone has started and not destroyed, empty where there is none."""
    noted = STATE / "project"
    return noted.read_text() if noted.exists() else ""


class DockerDriver(Driver):
    """Docker Engine and Compose."""

    name = "docker"
    ports = (
        *("PREDICTION_API", "MLFLOW", "AIRFLOW", "CI", "GITEA", "MINIO", "MINIO_CONSOLE"),
        *("REGISTRY", "MYSQL", "PROMETHEUS", "ALERTMANAGER", "GRAFANA", "MONITOR"),
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = STATE
        self.where = f"the volumes {settings.compose_project_name}_*"
        self.endpoints = docker_endpoints(settings)

    @cached_property
    def compose(self) -> Compose:
        """The project, with every value that its files ask for."""
        override = self.settings.compose_override
        if override and not Path(override).is_file():
            raise MachineError(f"P19 COMPOSE_OVERRIDE={override} is no file.", "Mend it in .env, or empty it")
        self._write_files()  # Compose reads one of them whatever it is asked
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
        try:
            engine.check(self.engine, self.settings)
            images = engine.unreachable_images(self.engine, self.settings.compose_override)
        except SandboxError as error:
            return Probe(False, str(error).splitlines()[0])
        if images:
            return Probe(
                False, f"Docker {version} answers, but cannot have {len(images)} images, {images[0]} first"
            )
        return Probe(True, f"Docker {version} and Compose {plugin} answer")

    @explained()
    def prepare(self) -> None:
        engine.check(self.engine, self.settings)
        engine.fetch_images(self.engine, self.compose)
        build_missing(self.engine, self.compose)

    def held_ports(self) -> set[int]:
        published = [hosts for container in self._containers() for hosts in container.ports.values()]
        return {int(host["HostPort"]) for hosts in published for host in hosts or ()}

    def start(self) -> Iterator[Ready]:
        write_private(STATE / "project", self.compose.project)  # by which a lost .env is made again
        for services, provided in PHASES:
            there = tuple(name for name in services if name in self.compose.services)
            changed = bool(there) and self._up(there)
            for name in provided:
                if name == "registry":
                    self._publish_base()
                if name not in OF_REAL_SERVERS or "jenkins" in self.compose.services:
                    yield Ready(name, changed)
        yield Ready("everything", self._up(()))
        self._forget_old_images()

    @explained()
    def stop(self) -> bool:
        engine.check_owner(self.engine, self.compose.project)
        running = any(container.status == "running" for container in self._containers())
        self.compose.run("stop")
        return running

    @explained()
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

    @explained()
    def footprint(self) -> Footprint:
        """Volumes and our own images, as the engine counts them."""
        engine.check_owner(self.engine, self.compose.project)
        volumes = {
            f"volume {volume['Name']}": max(0, (volume.get("UsageData") or {}).get("Size", 0))
            for volume in self.engine.df()["Volumes"] or []
            if (volume.get("Labels") or {}).get(PROJECT) == self.compose.project
        }
        images = {f"image {tag}": size for tag, size in own_tags(self.engine, self.compose.project).items()}
        return Footprint(f"the containers, volumes and images of {self.compose.project}", volumes | images)

    @explained()
    def destroy(self) -> None:
        engine.check_owner(self.engine, self.compose.project)
        self.compose.run("down", "--volumes", "--remove-orphans")
        for volume in self.engine.volumes.list(filters={"label": f"{PROJECT}={self.compose.project}"}):
            volume.remove()  # of an older version, whose Compose files named it
        for tag in own_tags(self.engine, self.compose.project):
            self.engine.images.remove(tag)
        shutil.rmtree(self.state, ignore_errors=True)

    @explained()
    def _forget_old_images(self) -> None:
        """Of earlier versions of our services, which nothing runs any more."""
        wanted = {block["image"] for block in self.compose.services.values()}
        for tag in own_tags(self.engine, self.compose.project):
            if tag not in wanted:
                self.engine.images.remove(tag)

    def _publish_base(self) -> None:
        with explained():
            new = publish_base(self.engine, self.compose, self.endpoints.images.outside)
        console.done(f"base image: {'put into the registry' if new else 'unchanged'}")

    def _service(self, name: str, container: Any | None) -> Service:
        card = self.cards.get(name, Card())
        password = getattr(self.settings, card.password_setting.lower(), "")
        return Service(name, card.url, *health(container), card.user, password)

    @explained()
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
        # Compose may just be making one anew.
        return list(self.engine.containers.list(all=True, filters={"label": label}, ignore_removed=True))

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
            "ORGANISATION": ORGANISATION,
            "REPOSITORIES": " ".join(REPOSITORIES),
            "GIT_URL": self.endpoints.git.inside.replace(f"{LOOP}:{self.settings.ci_token}@", ""),
            "STATUS_URL": self.endpoints.status.inside,
            "STATUS_USER": LOOP,
            "CI_HOOK_URL": self.endpoints.hook_url,
            "ALERTMANAGER_FILE": alertmanager_file(self.settings, "http://monitor:8000"),
        }
        trusted = dict.fromkeys(CA_VARIABLES, CA_IN_CONTAINERS) if bundle else {}
        files = {f"CONFIGURATION_{name}": _digest(folders) for name, folders in MOUNTED.items()}
        return self.settings.as_environment() | image_tags(override) | files | derived | trusted


def _digest(folders: tuple[str, ...]) -> str:
    """Of the files below: a container with other mounted files is to be made anew."""
    below = [path for folder in folders for path in (ROOT / folder, *sorted((ROOT / folder).rglob("*")))]
    found = [path for path in below if path.is_file()]
    named = [
        str(path.relative_to(ROOT)).encode() + path.read_bytes() for path in found if path.suffix != ".md"
    ]
    return hashlib.sha256(b"".join(named)).hexdigest()[:12]


def health(container: Any | None) -> tuple[bool, bool, str]:
    """Whether a container runs, whether it is healthy, and what to say of it."""
    if container is None:
        return False, False, "not created"
    state = container.attrs["State"]
    running, named = state["Running"], f"container {container.short_id}"
    if state.get("Status") == "created":
        return False, False, f"{named}, not started yet"
    if not running:
        ended = state["ExitCode"]
        once = container.attrs["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
        return False, once and ended == 0, f"{named}, ended with {ended}"
    health = state.get("Health")
    if health is None or health["Status"] == "healthy":
        return True, True, f"{named}, since {state['StartedAt'][:19]}"
    said = health["Log"][-1]["Output"].strip().splitlines()[-1:] if health["Log"] else []
    return True, False, f"{named}, {health['Status']}" + "".join(f": {line[:200]}" for line in said)
