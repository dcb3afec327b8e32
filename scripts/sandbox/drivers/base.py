"""What a driver is: seven verbs. Nothing else knows which driver runs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.endpoints import Endpoints
from sandbox.settings import Settings


@dataclass(frozen=True)
class Probe:
    """Whether a driver can run on this machine, and why."""

    usable: bool
    reason: str


@dataclass(frozen=True)
class Service:
    """One service as a person sees it; `url` is empty where there is no page."""

    name: str
    url: str
    running: bool
    healthy: bool
    detail: str
    user: str = ""
    password: str = ""


@dataclass(frozen=True)
class Footprint:
    """What a driver keeps: a line per kind of data with its size in bytes."""

    where: str
    sizes: dict[str, int]


@dataclass(frozen=True)
class Ready:
    """What bootstrap steps may rely on from now, and whether anything was started for it."""

    provides: str
    changed: bool


class Driver(ABC):
    """Runs the services. `state` is the folder of its files, `where` says in words where its data lies.

    `ports` are the names of the services' `*_PORT` settings that it listens on.
    """

    name: str
    ports: tuple[str, ...]
    state: Path
    where: str
    endpoints: Endpoints

    @abstractmethod
    def __init__(self, settings: Settings) -> None: ...

    @abstractmethod
    def probe(self) -> Probe:
        """Whether it can be chosen here: what it runs on answers, what it starts from can be had."""

    @abstractmethod
    def prepare(self) -> None:
        """What comes before the first start. Raises MachineError for the first thing the machine lacks."""

    @abstractmethod
    def held_ports(self) -> set[int]:
        """The ports that our own running services hold."""

    @abstractmethod
    def start(self) -> Iterator[Ready]:
        """Start what is not running, a layer at a time; bootstrap runs between two. Raises ServiceError."""

    @abstractmethod
    def stop(self) -> bool:
        """Stop every process, keep all data; False if nothing ran. Raises ServiceError."""

    @abstractmethod
    def services(self) -> list[Service]:
        """Every service with its health as of now."""

    @abstractmethod
    def logs(self, service: str, lines: int, follow: bool) -> Iterator[str]:
        """The newest log lines of a service (all services: empty name), oldest first."""

    @abstractmethod
    def footprint(self) -> Footprint:
        """What `destroy` would delete."""

    @abstractmethod
    def destroy(self) -> None:
        """Stop and delete everything that belongs to this sandbox, and nothing else."""
