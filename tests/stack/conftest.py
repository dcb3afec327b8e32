"""Single servers in containers of the stand-in images, started as the blocks in compose/ say."""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.errors import DockerException
from docker.models.containers import Container


class Server:
    """One container of a service, its port published on a free port of 127.0.0.1."""

    def __init__(self, container: Container, inside: int) -> None:
        self.container = container
        self._inside = f"{inside}/tcp"

    @property
    def port(self) -> int:
        """The published port; a restart may change it."""
        self.container.reload()
        return int(self.container.ports[self._inside][0]["HostPort"])

    def write(self, path: str, text: str) -> None:
        """Put a file that everybody may read into the container."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(text.encode()), 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
        self.container.put_archive("/", data.getvalue())

    def run(self, *command: str) -> None:
        """Run a command in the container as root; it must succeed."""
        code, output = self.container.exec_run(command, user="root")
        assert code == 0, output


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        pytest.skip(f"no Docker Engine answers: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def storage(root: Path) -> dict[str, Any]:
    """The storage layer as it is written."""
    return yaml.safe_load((root / "compose" / "compose.storage.yaml").read_text())


Start = Callable[..., Any]


@pytest.fixture(scope="session")
def start(engine: docker.DockerClient, storage: dict[str, Any]) -> Start:
    """Start a service's stand-in as its block says: user, command, port. `files` are written before."""

    @contextmanager
    def started(
        service: str, inside: int, files: dict[str, str], more: list[str], **options: Any
    ) -> Iterator[Server]:
        block = storage["services"][service]
        container = engine.containers.create(
            newest_image(engine, service),
            [*block["command"], *more],
            ports={f"{inside}/tcp": ("127.0.0.1", None)},
            **{"user": block.get("user"), **options},
        )
        try:
            server = Server(container, inside)
            for path, text in files.items():
                server.write(path, text)
            container.start()
            yield server
        finally:
            container.remove(force=True, v=True)

    return started


def newest_image(engine: docker.DockerClient, service: str) -> str:
    images = engine.images.list(f"standin/{service}")
    if not images:
        pytest.skip(f"no image standin/{service}; tests/images makes it")
    return max(images, key=lambda image: image.attrs["Created"]).id
