"""What a check is, what it finds and what it looks at. A check reads; what it makes it takes away again."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

from sandbox.clients.jenkins import Jenkins
from sandbox.context import Context
from sandbox.drivers import load_driver
from sandbox.drivers.base import Service
from sandbox.errors import ServiceError
from sandbox.settings import SECRETS, Settings, load_settings

SHORTEST_SECRET = 6  # characters; a shorter one would be found in ordinary words


class Broken(ServiceError):
    """A link does not hold; the message is the cause."""


class Absent(ServiceError):
    """There is no such link here; the message says why."""


@dataclass(frozen=True)
class Finding:
    """What became of a check. `state` is `ok`, `failed` or `skipped`."""

    link: str
    state: str
    code: str
    detail: str
    hint: str = ""


def read_only_context() -> Context:
    """As Context.load, which also writes settings of a newer version into .env. Raises SettingsError."""
    settings = load_settings()
    return Context(settings, load_driver(settings))


class Case:
    """The sandbox as the checks see it: each part is asked for once, and an error is the asking check's."""

    def __init__(self, load: Callable[[], Context] = read_only_context) -> None:
        self._load = load

    @cached_property
    def context(self) -> Context:
        return self._load()

    @cached_property
    def services(self) -> dict[str, Service]:
        return {service.name: service for service in self.context.driver.services()}

    @property
    def settings(self) -> Settings:
        return self.context.settings

    @cached_property
    def ci(self) -> Jenkins:
        return Jenkins(self.context.endpoints.ci.outside)

    def discreet(self, text: str) -> str:
        """One line without any secret of .env. A text is cut after this: half a secret is not found."""
        # What is not read yet has not been shown to anybody.
        if settings := getattr(self.__dict__.get("context"), "settings", None):
            names = [field.name for field in fields(settings) if field.name.endswith((*SECRETS, "_key"))]
            found = (getattr(settings, name) for name in names)
            secrets = (secret for secret in found if len(secret) >= SHORTEST_SECRET)
            for secret in sorted(secrets, key=len, reverse=True):
                text = text.replace(secret, "…")
        return " ".join(text.split())


@dataclass(frozen=True)
class Check:
    """One link. `look` says what it saw and raises what is wrong; `hint` is the command that mends it.

    It is skipped where one of `needs` (codes) did not hold, or one of `services` is not here or does not run.
    `a|b` is the first of the two that is here; `{service}` in the hint is the first of `services`.
    """

    code: str
    link: str
    look: Callable[[Case], str]
    hint: str
    services: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def used(self, case: Case) -> list[str]:
        """The names of its services that are here. Raises Absent for one that is not, or does not run."""
        found = []
        for names in self.services:
            here = [name for name in names.split("|") if name in case.services]
            if not here:
                raise Absent(f"there is no service {names.replace('|', ' or ')} here")
            if not case.services[here[0]].running:
                raise Absent(f"{here[0]} does not run")
            found.append(here[0])
        return found

    def absence(self, case: Case) -> str:
        """Why there is nothing to look at, as far as the services are known; else nothing."""
        try:
            if "services" in vars(case):
                self.used(case)
        except Absent as absent:
            return str(absent)
        return ""
