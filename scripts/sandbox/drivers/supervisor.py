"""The supervisor of the embedded driver: supervisord's configuration, start, changes and stop.

Protocol: supervisord's XML-RPC over a Unix socket (http://supervisord.org/api.html).
"""

import contextlib
import hashlib
import subprocess
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from sandbox.drivers.processes import Process
from sandbox.drivers.supervisor_config import STOP_SECONDS, render
from sandbox.errors import ServiceError
from sandbox.settings import Settings, machine_environment, write_private
from sandbox.wait import wait_until

LONGEST_SOCKET = 100  # bytes of a Unix socket's path that every system takes


class Supervisor:
    """supervisord for one state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.config = state / "supervisord.conf"
        self.socket = state / "supervisor.sock"
        if len(str(self.socket).encode()) > LONGEST_SOCKET:
            digest = hashlib.sha256(str(state).encode()).hexdigest()[:12]
            self.socket = Path("/tmp") / f"mlops-sandbox-{digest}.sock"

    def running(self) -> bool:
        """Whether supervisord answers."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except ServiceError:
            return False

    def apply(self, processes: list[Process], settings: Settings) -> bool:
        """Run exactly these processes, changing only what differs; False if nothing did."""
        write_private(self.config, render(processes, settings, self.state, self.socket))
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

    def stop(self) -> bool:
        """End every process group, then supervisord; False if nothing ran. Raises ServiceError."""
        ran = self.running()
        if ran:
            root = psutil.Process(self._call("getPID"))
            family = [root, *root.children(recursive=True)]
            groups = len(self._call("getAllProcessInfo"))
            self._call("shutdown")
            psutil.wait_procs([root], timeout=STOP_SECONDS * (groups + 1))  # it ends one group after another
            self._end([process for process in family if _lives(process)])
        lost = leftovers(self.state)
        self._end(lost)
        self.socket.unlink(missing_ok=True)
        return ran or bool(lost)

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
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, Fault, HTTPException) as error:
            raise ServiceError(f"supervisord: {method} {' '.join(map(str, arguments))}: {error}") from error


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
