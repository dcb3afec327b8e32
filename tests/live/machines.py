"""How each driver is prepared, disturbed and looked at from outside: all that the tests know of drivers."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import psutil
import requests
from dotenv import dotenv_values
from minio import Minio

from sandbox.compose import PROJECT, SERVICE, connect
from sandbox.drivers.images import own_tags

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
BUNDLE = os.environ.get("SSL_CERT_FILE", "")  # of a machine behind a proxy that opens TLS


class Machine(Protocol):
    """One driver's machinery."""

    image: str  # regular expression of an image ref

    def prepare(self, folder: Path) -> str:
        """Lines of .env that must be there before the first `make up`."""

    def a_taken_port(self) -> AbstractContextManager[object]:
        """Hold a port that the first `make up` would take, where the driver's tests look at that."""

    def put_raw(self, folder: Path, name: str, text: str) -> None:
        """Put a raw file into the data store."""

    def get_raw(self, folder: Path, name: str) -> str:
        """Read a raw file."""

    def remove_raw(self, folder: Path, name: str) -> None:
        """Remove a raw file."""

    def remove_caches(self, folder: Path) -> None:
        """Remove what builds and tasks of code and data have left for later ones; none may be running."""

    def control(self, folder: Path, verb: str, service: str) -> None:
        """stop, start, restart or kill a service."""

    def left(self, folder: Path) -> list[str]:
        """What still runs or lies around after `make down`."""

    def neighbours(self) -> AbstractContextManager[Callable[[], bool]]:
        """Things of other projects beside the sandbox; whether they are still as they were."""

    def lost(self, folder: Path) -> list[str]:
        """What is there after `make destroy` and should not be."""


class Embedded:
    """Processes below supervisord."""

    image = r"env:sha256:[0-9a-f]{64}"

    def prepare(self, folder: Path) -> str:  # noqa: ARG002
        return "DRIVER=embedded\nAPI_WORKERS=2\n"  # what is right with one may be wrong with two

    def a_taken_port(self) -> AbstractContextManager[object]:
        return nullcontext()

    def put_raw(self, folder: Path, name: str, text: str) -> None:
        (folder / ".sandbox/data" / name).write_text(text)

    def get_raw(self, folder: Path, name: str) -> str:
        return (folder / ".sandbox/data" / name).read_text()

    def remove_raw(self, folder: Path, name: str) -> None:
        (folder / ".sandbox/data" / name).unlink()

    def remove_caches(self, folder: Path) -> None:
        workspaces = folder / ".sandbox/ci/workspaces"
        for path in [workspaces / "model_training", workspaces / "data_preprocessing"]:
            shutil.rmtree(path)
        for path in folder.glob(".sandbox/**/.dvc/cache"):
            shutil.rmtree(path)

    def control(self, folder: Path, verb: str, service: str) -> None:
        words = ["signal", "KILL", service] if verb == "kill" else [verb, service]
        command = [folder / ".venv/bin/supervisorctl", "-c", folder / ".sandbox/supervisord.conf", *words]
        subprocess.run(command, check=True, capture_output=True, timeout=90)

    def left(self, folder: Path) -> list[str]:
        """Processes started from the folder, whatever their titles are now."""
        return [str(process) for process in psutil.process_iter() if _belongs_to(process, folder)]

    def neighbours(self) -> AbstractContextManager[Callable[[], bool]]:
        return nullcontext(lambda: True)

    def lost(self, folder: Path) -> list[str]:
        return [str(path) for path in folder.glob(".sandbox")]


def _belongs_to(process: psutil.Process, folder: Path) -> bool:
    try:
        traces = [*process.cmdline(), process.cwd(), process.environ().get("SANDBOX_STATE", "")]
    except psutil.Error:
        return False
    return any(str(folder) in trace for trace in traces)


class Docker:
    """Containers of a Compose project of its own, on stand-in images where `images` says so."""

    image = r"registry:5000/[a-z_]+@sha256:[0-9a-f]{64}"
    project = "mlops-sandbox-test"
    taken = 8809  # MYSQL_PORT of .env.example

    def __init__(self, override: str) -> None:
        self.override = override

    def prepare(self, folder: Path) -> str:  # noqa: ARG002
        lines = ["DRIVER=docker", f"COMPOSE_PROJECT_NAME={self.project}", f"CA_BUNDLE={BUNDLE}"]
        return "\n".join([*lines, f"COMPOSE_OVERRIDE={self.override}"]) + "\n"

    def a_taken_port(self) -> AbstractContextManager[object]:
        return socket.create_server(("127.0.0.1", self.taken))

    def put_raw(self, folder: Path, name: str, text: str) -> None:
        data = text.encode()
        self._store(folder).put_object("data", name, BytesIO(data), len(data))

    def get_raw(self, folder: Path, name: str) -> str:
        with self._store(folder).get_object("data", name) as answer:
            return answer.read().decode()

    def remove_raw(self, folder: Path, name: str) -> None:
        self._store(folder).remove_object("data", name)

    def remove_caches(self, folder: Path) -> None:
        """Nothing: a task is a container that is gone, Jenkins cleans a workspace before each build."""

    def _store(self, folder: Path) -> Minio:
        values = dotenv_values(folder / ".env", interpolate=False)
        host = f"127.0.0.1:{values['MINIO_PORT']}"
        return Minio(host, "sandbox", values["MINIO_ROOT_PASSWORD"], secure=False)

    def control(self, folder: Path, verb: str, service: str) -> None:  # noqa: ARG002
        container = self.containers(service)[0]
        if verb == "kill":  # the process, not the container: Docker restarts none that it was told to kill
            os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)
        else:
            getattr(container, verb)()

    def containers(self, service: str = "") -> list[Any]:
        label = [f"{PROJECT}={self.project}", *([f"{SERVICE}={service}"] if service else [])]
        return connect().containers.list(all=True, filters={"label": label})

    def inside(self, service: str, command: list[str]) -> tuple[int, str]:
        """Run a command in a service's container; its exit code and output."""
        code, printed = self.containers(service)[0].exec_run(command)
        return code, printed.decode()

    def digest(self, folder: Path, repository: str, tag: str) -> str:
        """What the registry calls a tag."""
        port = dotenv_values(folder / ".env", interpolate=False)["REGISTRY_PORT"]
        url = f"http://127.0.0.1:{port}/v2/{repository}/manifests/{tag}"
        answer = requests.head(url, headers={"Accept": ", ".join(MANIFESTS)}, timeout=10)
        answer.raise_for_status()
        return answer.headers["Docker-Content-Digest"]

    def left(self, folder: Path) -> list[str]:  # noqa: ARG002
        return [container.name for container in self.containers() if container.status == "running"]

    def lost(self, folder: Path) -> list[str]:
        label = {"label": f"{PROJECT}={self.project}"}
        engine = connect()
        things = [
            *engine.containers.list(all=True, filters=label),
            *engine.volumes.list(filters=label),
            *engine.networks.list(filters=label),
        ]
        images = list(own_tags(engine, self.project))
        folders = [str(path) for path in folder.glob(".sandbox-docker")]
        return [thing.name for thing in things] + images + folders

    @contextmanager
    def neighbours(self) -> Iterator[Callable[[], bool]]:
        """A container, a volume and an image that are nobody's business; whether all are still there."""
        engine, name = connect(), f"{self.project}-neighbour"
        image, tag = self._stand_in(engine), f"{self.project}/neighbour:1"
        image.tag(tag)
        volume = engine.volumes.create(name, labels={PROJECT: name})
        container = engine.containers.create(image.id, name=name, labels={PROJECT: name})
        try:
            yield lambda: all([engine.containers.get(name), engine.volumes.get(name), engine.images.get(tag)])
        finally:
            container.remove()
            volume.remove()
            engine.images.remove(tag)

    def _stand_in(self, engine: Any) -> Any:
        named = re.search(r"standin/registry:\w+", Path(self.override).read_text())
        return engine.images.get(named[0])
