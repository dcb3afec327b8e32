"""A real engine for tests, where there is one, and a registry with one tiny image for it to pull."""

import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import tarfile
import threading
from contextlib import suppress
from typing import Any

import docker
from docker.errors import DockerException

from tests.neighbours import Answer, Server

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")  # before a test changes it
COMMANDS = ("sh", "sleep", "cat", "echo", "dd", "grep", "env")


def missing() -> str:
    """Why tests with containers cannot run here, or an empty string."""
    if not HOST.startswith("unix://"):
        return f"the engine of DOCKER_HOST, {HOST}, cannot pull from this machine"
    try:
        # By hand: a client of `docker` that finds no engine leaves its socket open.
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(HOST.removeprefix("unix://"))
    except OSError as error:
        return f"no Docker engine at {HOST}: {error.strerror}"
    return "" if shutil.which("busybox") else "no busybox (Debian: busybox-static) to make an image of"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class ImageRegistry:
    """A registry on 127.0.0.1, where engines need no TLS. Protocol: OCI distribution, reading by digest."""

    def __init__(self) -> None:
        layer = _layer()
        config = json.dumps(
            {
                "architecture": docker.from_env().version()["Arch"],
                "os": "linux",
                "config": {"Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
            }
        ).encode()
        packed = gzip.compress(layer)
        blobs = {"config": config, "layer": packed}
        described = {name: {"size": len(blob), "digest": digest(blob)} for name, blob in blobs.items()}
        kinds = {
            "config": "application/vnd.docker.container.image.v1+json",
            "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": kinds["config"], **described["config"]},
                "layers": [{"mediaType": kinds["layer"], **described["layer"]}],
            }
        ).encode()
        self.stored = {digest(each): each for each in (config, packed, manifest)}
        self.server = Server(self)
        self.server.headers = {"Content-Type": MANIFEST}
        self.store = self.server.address.removeprefix("http://")
        self.image = f"{self.store}/tiny@{digest(manifest)}"

    def __call__(self, _: str, path: str, *__: Any) -> Answer:
        if path == "/v2/":
            return 200, {}
        found = self.stored.get(path.rsplit("/", 1)[1])
        return (200, found) if found else (404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})

    def close(self) -> None:
        """End the server and take the image out of the engine."""
        self.server.close()
        with suppress(DockerException):
            docker.from_env().images.remove(self.image, force=True)


def _layer() -> bytes:
    """A root filesystem of one static program under the names of several, as a tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(os.path.realpath(shutil.which("busybox") or ""), "bin/busybox")
        for command in COMMANDS:
            link = tarfile.TarInfo(f"bin/{command}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()


class Wire:
    """A TCP address that leads to the engine's socket, until it is cut."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(HOST.removeprefix("unix://"))
                self.ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End it and everything that goes over it, as the kill of an engine does."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes the threads, which `close` alone does not
            end.close()
