"""The embedded driver: every service a supervised process of this machine, all state below .sandbox/."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from sandbox import console, preflight
from sandbox.drivers import prometheus_files
from sandbox.drivers.base import Driver, Footprint, Probe, Ready, Service
from sandbox.drivers.environment_files import render_dotenv
from sandbox.drivers.environments import install_environments
from sandbox.drivers.logs import read_logs
from sandbox.drivers.metadata import is_migrated, migrate
from sandbox.drivers.processes import Process, addresses, airflow_environment, all_processes, ci_environment
from sandbox.drivers.record import refuse_changed_key, remember_machine
from sandbox.drivers.supervisor import Supervisor
from sandbox.endpoints import embedded_endpoints
from sandbox.errors import ServiceError
from sandbox.http import Http
from sandbox.settings import ROOT, Settings, write_private


class EmbeddedDriver(Driver):
    """No Docker needed: uv, Git and Python."""

    name = "embedded"
    ports: tuple[str, ...] = ("PREDICTION_API", "MLFLOW", "AIRFLOW", "CI", "MONITOR")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ports = (*self.ports, *(name.upper() for name in prometheus_files.present()))
        self.state = ROOT / ".sandbox"
        self.where = str(self.state)
        self.endpoints = embedded_endpoints(settings, self.state)
        self.supervisor = Supervisor(self.state)

    @property
    def processes(self) -> list[Process]:
        """Every service's card."""
        return all_processes(self.settings, self.endpoints, self.state)

    def probe(self) -> Probe:
        return Probe(True, "needs no Docker: every service is a process of this machine")

    def prepare(self) -> None:
        preflight.check_embedded(self.state)

    def held_ports(self) -> set[int]:
        urls = [urlsplit(service.url) for service in self.services() if service.running and service.url]
        return {url.port for url in urls if url.port}

    def start(self) -> Iterator[Ready]:
        changed = self._start()
        for provides in (
            "data-folder",
            "bare-repositories",
            "git",
        ):  # they need no server: CI builds meanwhile
            yield Ready(provides, changed)

    def _start(self) -> bool:
        refuse_changed_key(self.state, self.settings.airflow_fernet_key)
        if not self.supervisor.running():
            remember_machine(self.state)
        install_environments(self.state / "environments")
        self._write_files()
        changed = False
        if not is_migrated(self.state):
            others = [process for process in self.processes if not process.name.startswith("airflow")]
            changed = self.supervisor.apply(others, self.settings)  # they start while the database is made
            console.step("preparing Airflow's database")
            migrate(self.state, airflow_environment(self.settings, self.endpoints, self.state))
        return self.supervisor.apply(self.processes, self.settings) or changed

    def stop(self) -> bool:
        return self.supervisor.stop()

    def services(self) -> list[Service]:
        states = self.supervisor.states()
        return [self._service(process, states.get(process.name, {})) for process in self.processes]

    def logs(self, service: str, lines: int, follow: bool) -> Iterator[str]:
        return read_logs(self.state / "logs", service, lines, follow)

    def footprint(self) -> Footprint:
        folders = (
            sorted(path for path in self.state.glob("*") if path.is_dir()) if self.state.exists() else []
        )
        return Footprint(str(self.state), {folder.name: _size(folder) for folder in folders})

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)

    def _write_files(self) -> None:
        for name in ("logs", "data", "dvc", "images", "mlflow", "airflow", "ci", "prediction-api"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        loop_env = self.endpoints.loop_env(self.settings)
        write_private(self.state / "loop.env", render_dotenv(loop_env))
        write_private(
            self.state / "ci.env", render_dotenv(ci_environment(self.settings, self.endpoints, self.state))
        )
        prometheus_files.write_files(self.settings, addresses(self.processes), self.state)
        passwords = {
            "admin": self.settings.airflow_admin_password,
            "loop": self.settings.airflow_loop_password,
        }
        write_private(self.state / "airflow" / "passwords.json", json.dumps(passwords))
        (self.state / "airflow" / "config").mkdir(exist_ok=True)
        shutil.copy(
            ROOT / "services" / "airflow" / "airflow_local_settings.py", self.state / "airflow" / "config"
        )

    def _healthy(self, process: Process) -> bool:
        """Raises ApiError or ServiceError that says what is wrong."""
        if not process.part:
            Http(process.name, process.url).call("GET", process.health)
            return True
        parts = Http(process.name, self.endpoints.airflow.inside).get("/api/v2/monitor/health")
        state = parts.get(process.part, {}).get("status", "missing")
        if state != "healthy":
            raise ServiceError(f"{process.name} reports {state}")
        return True

    def _service(self, process: Process, row: dict[str, object]) -> Service:
        detail = str(row.get("description", "not running"))
        running = row.get("statename") == "RUNNING"
        try:
            healthy = running and self._healthy(process)
        except ServiceError as error:
            healthy, detail = False, str(error)
        return Service(process.name, process.url, running, healthy, detail, process.user, process.password)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a running service may remove it meanwhile
            total += 0 if path.is_dir() else path.lstat().st_size
    return total
