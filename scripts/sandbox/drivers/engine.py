"""Pre-flight of the docker driver. A failed check has a code, a cause and a remedy."""

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
from docker import DockerClient
from docker.errors import DockerException

from sandbox import console
from sandbox.compose import FOLDER, PROJECT, Compose, docker_plugin, manifest
from sandbox.drivers.images import has_image, missing_images, own_tags, upstream_images
from sandbox.errors import MachineError
from sandbox.settings import ROOT, Settings

COMPOSE_NEEDED = (2, 30)  # `env_file` with `format: raw`
BUILDX_NEEDED = (0, 17)  # what that Compose asks for
ENGINE_NEEDED = (20, 10)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "amd64": "amd64", "arm64": "arm64"}
MEMORY_NEEDED = 3.5 * 1024**3  # bytes, what a machine of 4 GB has; below it services are killed at start
MEMORY_COMFORTABLE = 6 * 1024**3  # bytes: idle services, one build and one training
DISK_NEEDED = 15 * 1024**3  # bytes: images, volumes and the engine's own images
DISK_NEEDED_LATER = 2 * 1024**3  # bytes: when all of that is there
LOOKED_UP_AT_ONCE = 8
READ_BY_CONTAINERS = ("prometheus", "grafana", "jenkins", "services")
EMBEDDED = "Or without Docker: set DRIVER=embedded in .env, a sandbox of its own with its own data"


def check(engine: DockerClient, settings: Settings) -> None:
    """What the machine's Docker needs. Raises MachineError for the first thing that is missing."""
    _check_version("P11", "Docker Engine", engine.version()["Version"], ENGINE_NEEDED)
    _check_version("P12", "Docker Compose", docker_plugin("compose"), COMPOSE_NEEDED)
    _check_version("P13", "Docker Buildx", docker_plugin("buildx"), BUILDX_NEEDED)
    _check_size(engine.info(), installed=bool(own_tags(engine, settings.compose_project_name)))
    _check_files(settings)
    check_owner(engine, settings.compose_project_name)
    _check_other_names(engine, settings.compose_project_name)


def _check_version(code: str, what: str, found: str, needed: tuple[int, ...]) -> None:
    wanted = ".".join(map(str, needed))
    if not found:
        raise MachineError(
            f"{code} {what} is not installed.", f"Install {what} {wanted} or newer. {EMBEDDED}"
        )
    numbers = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in found.split(".")[:2])
    if numbers < needed:
        raise MachineError(f"{code} {what} {found} is too old.", f"Install {wanted} or newer. {EMBEDDED}")


def _check_files(settings: Settings) -> None:
    """What containers read of this machine, as users of their own."""
    for code, name, path in (
        ("P18", "CA_BUNDLE", settings.ca_bundle),
        ("P19", "COMPOSE_OVERRIDE", settings.compose_override),
    ):
        if path and not (Path(path).is_absolute() and Path(path).is_file()):
            raise MachineError(f"{code} {name}={path} is no absolute path of a file.", "Mend it in .env")
    read = [path for folder in READ_BY_CONTAINERS for path in [ROOT / folder, *(ROOT / folder).rglob("*")]]
    closed = [path for path in [*read, *map(Path, filter(None, [settings.ca_bundle]))] if not _is_open(path)]
    if closed:
        raise MachineError(
            f"P23 Containers of other users cannot read {closed[0]} (and {len(closed) - 1} more).",
            f"Run: chmod -R go+rX {' '.join(READ_BY_CONTAINERS)}",
        )


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (0o001 if path.is_dir() else 0o004))


def _check_size(info: dict[str, Any], installed: bool) -> None:
    """Memory, cores and disk as the engine sees them: a virtual machine has less than its host."""
    if info["Architecture"] not in ARCHITECTURES:
        raise MachineError(
            f"P14 The engine runs on {info['Architecture']}.", f"Use amd64 or arm64. {EMBEDDED}"
        )
    memory = info["MemTotal"]
    if memory < MEMORY_NEEDED:
        needed = f"{MEMORY_NEEDED / 1024**3:.0f} are needed"
        raise MachineError(
            f"P15 The engine has {memory / 1024**3:.1f} GiB of memory, {needed}.",
            f"Give it more (Docker Desktop: Settings, Resources). {EMBEDDED}",
        )
    if memory < MEMORY_COMFORTABLE or info["NCPU"] < 2:
        console.note(
            f"P15 the engine has {memory / 1024**3:.1f} GiB of memory and {info['NCPU']} cores; "
            f"{MEMORY_COMFORTABLE / 1024**3:.0f} GiB and 2 make it comfortable"
        )
    _check_disk(Path(info["DockerRootDir"]), DISK_NEEDED_LATER if installed else DISK_NEEDED)


def _check_disk(root: Path, needed: int) -> None:
    if root.exists() and (free := shutil.disk_usage(root).free) < needed:
        raise MachineError(
            f"P16 Only {free / 1024**3:.1f} GiB of disk are free where Docker keeps its data ({root}), "
            f"{needed / 1024**3:.0f} are needed.",
            "Make room: docker system df shows what can go",
        )


def check_owner(engine: DockerClient, project: str) -> None:
    """Two clones must not share a project."""
    for container in engine.containers.list(all=True, filters={"label": f"{PROJECT}={project}"}):
        folder = container.labels.get(FOLDER, "")
        if folder and Path(folder).resolve() != (ROOT / "compose").resolve():
            raise MachineError(
                f"P17 The Compose project {project} belongs to {folder}.",
                "Give this clone another COMPOSE_PROJECT_NAME in .env. "
                f"If this clone was moved from there: docker compose -p {project} down, which keeps the data",
            )


def _check_other_names(engine: DockerClient, project: str) -> None:
    """A renamed project would leave the old one running, with its ports."""
    for container in engine.containers.list(filters={"label": f"{FOLDER}={ROOT / 'compose'}"}):
        name = container.labels[PROJECT]
        if name != project:
            raise MachineError(
                f"P22 This clone's services still run under the name {name}.",
                f"Put COMPOSE_PROJECT_NAME={name} back into .env, or end them: docker compose -p {name} down",
            )


def unreachable_images(engine: DockerClient, override: str) -> list[str]:
    """The images that the engine neither has nor can fetch. Raises SettingsError for a wrong override."""
    return _nowhere(engine, [image for image in upstream_images(override) if not has_image(engine, image)])


def fetch_images(engine: DockerClient, compose: Compose) -> None:
    """Say what is to be downloaded, then download it. Raises MachineError with the images that nobody has."""
    built = {block["image"] for block in compose.services.values() if "build" in block}
    foreign = {name: block for name, block in compose.services.items() if block["image"] not in built}
    missing = sorted({*missing_images(engine, foreign), *_missing_bases(engine, compose)})
    if not missing:
        return
    if nowhere := _nowhere(engine, missing):
        raise MachineError(
            "P20 These images are not on this machine, and their registries lack them or do not answer:\n  "
            + "\n  ".join(nowhere),
            "Ways out (docs/docker.md, Without a registry):\n"
            "  let Docker reach the registries: a mirror or a proxy in its daemon.json\n"
            "  copy the images from another machine: docker save, docker load\n"
            "  name others in a Compose file: COMPOSE_OVERRIDE in .env\n"
            f"  {EMBEDDED}",
        )
    _announce(engine, compose, missing)
    for number, image in enumerate(missing, start=1):
        console.step(f"downloading {image} ({number} of {len(missing)})")
        engine.images.pull(image)


def _announce(engine: DockerClient, compose: Compose, images: list[str]) -> None:
    platform = ARCHITECTURES[engine.info()["Architecture"]]
    with ThreadPoolExecutor(LOOKED_UP_AT_ONCE) as pool:
        sizes = list(pool.map(lambda image: _download_size(image, platform, compose.proxies), images))
    known = sum(size for size in sizes if size is not None)
    more = " or more" if None in sizes else ""
    console.note(f"{len(images)} images to download, {known / 1024**2:.0f} MiB{more}")


def _nowhere(engine: DockerClient, images: list[str]) -> list[str]:
    """Of these images those that no registry gives."""
    if images:
        console.step(f"looking up {len(images)} images")
    with ThreadPoolExecutor(LOOKED_UP_AT_ONCE) as pool:
        there = list(pool.map(lambda image: _in_registry(engine, image), images))
    return [image for image, found in zip(images, there, strict=True) if not found]


def _in_registry(engine: DockerClient, image: str) -> bool:
    """Whether the engine itself, with its mirrors and proxies, can have the image."""
    try:
        engine.images.get_registry_data(image)
    except (DockerException, requests.RequestException):
        return False
    return True


def _missing_bases(engine: DockerClient, compose: Compose) -> list[str]:
    """The bases of our own images that are still to be built, and the one that users' images stand on."""
    own = {name: block for name, block in compose.services.items() if "build" in block}
    users = compose.services["mlflow"]["build"]["args"]["PYTHON_IMAGE"]
    bases = {users: {"image": users}} | {
        base: {"image": base}
        for names in missing_images(engine, own).values()
        for name in names
        for key, base in (own[name]["build"].get("args") or {}).items()
        if key.endswith("_IMAGE")
    }
    return list(missing_images(engine, bases))


def _download_size(image: str, platform: str, proxies: Mapping[str, str]) -> int | None:
    """Bytes of the image's layers for a platform; None where nobody tells."""
    for found in manifest(image, proxies):
        described = found.get("Descriptor", {}).get("platform", {})
        document = found.get("SchemaV2Manifest") or found.get("OCIManifest") or {}
        if described.get("architecture", platform) == platform and "layers" in document:
            return sum(int(layer["size"]) for layer in document["layers"])
    return None
