"""The drivers: where the servers run. The first `make up` takes the first one that is usable."""

from sandbox.drivers.base import Driver
from sandbox.drivers.docker import DockerDriver, known_project
from sandbox.drivers.embedded import EmbeddedDriver
from sandbox.errors import MachineError, SettingsError
from sandbox.settings import Settings, save_setting

# In the order of choice.
DRIVERS: dict[str, type[Driver]] = {"docker": DockerDriver, "embedded": EmbeddedDriver}


def load_driver(settings: Settings) -> Driver:
    """The driver named in .env. Raises SettingsError for a name nobody knows."""
    if settings.driver not in DRIVERS:
        known = ", ".join(DRIVERS)
        raise SettingsError(
            f"DRIVER={settings.driver or '(empty)'} in .env: choose one of {known}",
            "Edit .env, then: make up",
        )
    return DRIVERS[settings.driver](settings)


def choose_driver(settings: Settings) -> tuple[str, str]:
    """Write the first usable driver into .env; return its name and why. Raises MachineError."""
    if name := known_project():
        save_setting("COMPOSE_PROJECT_NAME", name)
        save_setting("DRIVER", "docker")
        return "docker", f"this clone has data in the volumes {name}_*; COMPOSE_PROJECT_NAME={name}"
    if EmbeddedDriver(settings).state.exists():
        save_setting("DRIVER", "embedded")
        return "embedded", "this clone has data of it"
    refusals: list[str] = []
    for name, kind in DRIVERS.items():
        probe = kind(settings).probe()
        if probe.usable:
            save_setting("DRIVER", name)
            return name, "; ".join([*refusals, probe.reason])
        refusals.append(f"not {name}: {probe.reason}")
    raise MachineError("No driver can run here. " + "; ".join(refusals))
