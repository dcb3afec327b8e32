"""The supervisor of the embedded driver: supervisord's configuration, start, changes and stop.

Protocol: supervisord's XML-RPC over a Unix socket (http://supervisord.org/api.html).
"""

import contextlib
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from sandbox.drivers.processes import Process
from sandbox.errors import ServiceError
from sandbox.settings import Settings, machine_environment, write_private
from sandbox.wait import wait_until

STOP_SECONDS = 15  # from SIGTERM to SIGKILL


class Supervisor:
    """supervisord for one state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.config = state / "supervisord.conf"
        # A Unix socket's path has at most about 100 characters, a clone's may be longer.
        name = hashlib.sha256(str(state).encode()).hexdigest()[:12]
        self.socket = Path(tempfile.gettempdir()) / f"mlops-sandbox-{name}.sock"

    def running(self) -> bool:
        """Whether supervisord answers."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except (OSError, Fault, ConnectionError):
            return False

    def apply(self, processes: list[Process], settings: Settings) -> bool:
        """Run exactly these processes, changing only what differs; False if nothing did."""
        write_private(self.config, self._render(processes, settings))
        if not self.running():
            self._launch()
            return True
        added, changed, removed = self._call("reloadConfig")[0]
        for name in [*changed, *removed]:
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)
        revived = [
            row["name"] for row in self._call("getAllProcessInfo") if row["statename"] in ("FATAL", "STOPPED")
        ]
        for name in revived:
            self._call("startProcess", name, False)
        return bool(added or changed or removed or revived)

    def states(self) -> dict[str, dict[str, Any]]:
        """supervisord's own record of each process; empty where it does not run."""
        return {row["name"]: row for row in self._call("getAllProcessInfo")} if self.running() else {}

    def stop(self) -> None:
        """End every process group, then supervisord. Raises ServiceError if a process survives."""
        if self.running():
            root = psutil.Process(self._call("getPID"))
            family = [root, *root.children(recursive=True)]
            self._call("shutdown")
            wait_until(
                lambda: not _lives(root), what="supervisord to end its processes", seconds=STOP_SECONDS * 2
            )
            self._end([process for process in family if _lives(process)])
        self._end(leftovers(self.state))
        self.socket.unlink(missing_ok=True)

    def _end(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until(lambda: not any(map(_lives, processes)), what="all processes to end", seconds=STOP_SECONDS)

    def _launch(self) -> None:
        self._end(leftovers(self.state))
        command = [str(Path(sys.executable).parent / "supervisord"), "-c", str(self.config)]
        environment = machine_environment() | {"SANDBOX_STATE": str(self.state)}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            raise ServiceError(f"supervisord did not start: {result.stdout}{result.stderr}", "Run: make logs")
        wait_until(self.running, what="supervisord", seconds=10, hint="Run: make logs")

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        proxy = ServerProxy("http://127.0.0.1", transport=transport)
        return getattr(proxy.supervisor, method)(*arguments)

    def _render(self, processes: list[Process], settings: Settings) -> str:
        sections = [
            f"[unix_http_server]\nfile={self.socket}\nchmod=0600",
            f"[supervisord]\nlogfile={self.state / 'logs' / 'supervisord.log'}\n"
            f"pidfile={self.state / 'supervisord.pid'}\nchildlogdir={self.state / 'logs'}\n"
            f"logfile_maxbytes={settings.log_megabytes}MB\nlogfile_backups={settings.log_files}",
            f"[supervisorctl]\nserverurl=unix://{self.socket}",
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        ]
        sections += [self._program(process, settings) for process in processes]
        return "\n\n".join(sections) + "\n"

    def _program(self, process: Process, settings: Settings) -> str:
        environment = ",".join(
            f"{name}={_quote(value)}" for name, value in sorted(process.environment.items())
        )
        return "\n".join(
            [
                f"[program:{process.name}]",
                f"command={' '.join(_quote(word) for word in process.argv)}",
                f"directory={process.directory}",
                f"environment={environment}",
                "autorestart=true",
                "startretries=10",
                f"stopwaitsecs={STOP_SECONDS}",
                "stopasgroup=true",
                "killasgroup=true",
                "redirect_stderr=true",
                f"stdout_logfile={self.state / 'logs' / (process.name + '.log')}",
                f"stdout_logfile_maxbytes={settings.log_megabytes}MB",
                f"stdout_logfile_backups={settings.log_files}",
            ]
        )


def leftovers(state: Path) -> list[psutil.Process]:
    """Processes of this sandbox that lost their supervisord."""
    return [process for process in psutil.process_iter() if _is_ours(process, state)]


def _is_ours(process: psutil.Process, state: Path) -> bool:
    """Each of ours carries SANDBOX_STATE; Airflow's lose it with a new title, but keep their folder."""
    try:
        if process.environ().get("SANDBOX_STATE") == str(state):
            return True
        return process.cwd() == str(state / "airflow") and process.cmdline()[0].startswith("airflow ")
    except (psutil.Error, IndexError):
        return False


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _quote(value: str) -> str:
    """supervisord's own quoting: one kind of quote around a value that lacks it, per cent signs doubled."""
    mark = "'" if '"' in value else '"'
    if mark in value or "\n" in value:
        raise ServiceError(
            f"supervisord cannot be given this value: {value!r}", "Move the clone to a plainer path"
        )
    return mark + value.replace("%", "%%") + mark
