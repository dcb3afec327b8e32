"""Pre-flight of the docker driver. A failed check has a code, a cause and a remedy."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from docker import DockerClient

from sandbox import console
from sandbox.compose import FOLDER, PROJECT, Compose, docker_plugin, manifest
from sandbox.drivers.images import missing_images
from sandbox.errors import MachineError
from sandbox.settings import ROOT, Settings

COMPOSE_NEEDED = (2, 30)  # `env_file` with `format: raw`
BUILDX_NEEDED = (0, 17)  # what that Compose asks for
ENGINE_NEEDED = (20, 10)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "amd64": "amd64", "arm64": "arm64"}
MEMORY_NEEDED = 4 * 1024**3  # bytes: below it the services are killed while they start
MEMORY_COMFORTABLE = 6 * 1024**3  # bytes: idle services, one build and one training
DISK_NEEDED = 15 * 1024**3  # bytes: images, volumes and the engine's own images
LOOKED_UP_AT_ONCE = 8
EMBEDDED = "Or without Docker: set DRIVER=embedded in .env, a sandbox of its own with its own data"


def check(engine: DockerClient, settings: Settings) -> None:
    """What the machine's Docker needs. Raises MachineError for the first thing that is missing."""
    _check_version("P11", "Docker Engine", engine.version()["Version"], ENGINE_NEEDED)
    _check_version("P12", "Docker Compose", docker_plugin("compose"), COMPOSE_NEEDED)
    _check_version("P13", "Docker Buildx", docker_plugin("buildx"), BUILDX_NEEDED)
    _check_size(engine.info())
    if settings.ca_bundle and not Path(settings.ca_bundle).is_file():
        raise MachineError(f"P18 CA_BUNDLE={settings.ca_bundle} is no file.", "Mend it in .env")
    if settings.compose_override and not Path(settings.compose_override).is_file():
        raise MachineError(
            f"P19 COMPOSE_OVERRIDE={settings.compose_override} is no file.", "Mend it in .env, or empty it"
        )
    _check_owner(engine, settings.compose_project_name)


def _check_version(code: str, what: str, found: str, needed: tuple[int, ...]) -> None:
    wanted = ".".join(map(str, needed))
    if not found:
        raise MachineError(
            f"{code} {what} is not installed.", f"Install {what} {wanted} or newer. {EMBEDDED}"
        )
    numbers = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in found.split(".")[:2])
    if numbers < needed:
        raise MachineError(f"{code} {what} {found} is too old.", f"Install {wanted} or newer. {EMBEDDED}")


def _check_size(info: dict[str, Any]) -> None:
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
    root = Path(info["DockerRootDir"])
    if root.exists() and shutil.disk_usage(root).free < DISK_NEEDED:
        free = shutil.disk_usage(root).free / 1024**3
        raise MachineError(
            f"P16 Only {free:.1f} GiB of disk are free where Docker keeps its data ({root}), "
            f"{DISK_NEEDED / 1024**3:.0f} are needed.",
            "Make room: docker system df shows what can go",
        )


def _check_owner(engine: DockerClient, project: str) -> None:
    """Two clones must not share a project."""
    for container in engine.containers.list(all=True, filters={"label": f"{PROJECT}={project}"}):
        folder = container.labels.get(FOLDER, "")
        if folder and Path(folder).resolve() != (ROOT / "compose").resolve():
            raise MachineError(
                f"P17 The Compose project {project} belongs to {folder}.",
                "Give this clone another COMPOSE_PROJECT_NAME in .env",
            )


def check_images(engine: DockerClient, compose: Compose) -> None:
    """Say what will be downloaded. Raises MachineError with the images that nobody has."""
    built = {block["image"] for block in compose.services.values() if "build" in block}
    foreign = {name: block for name, block in compose.services.items() if block["image"] not in built}
    missing = sorted({*missing_images(engine, foreign), *_missing_bases(engine, compose)})
    if not missing:
        return
    console.step(f"looking up {len(missing)} images")
    platform = ARCHITECTURES[engine.info()["Architecture"]]
    with ThreadPoolExecutor(LOOKED_UP_AT_ONCE) as pool:
        sizes = dict(
            zip(missing, pool.map(lambda image: _download_size(image, platform), missing), strict=True)
        )
    nowhere = [image for image, size in sizes.items() if size is None]
    if nowhere:
        raise MachineError(
            "P20 These images are not on this machine, and their registries lack them or do not answer:\n  "
            + "\n  ".join(nowhere),
            "Three ways out: let Docker reach the registries (a mirror or a proxy in its daemon.json); "
            "copy the images from another machine (docker save, docker load); "
            f"or name others in a Compose file (COMPOSE_OVERRIDE in .env). {EMBEDDED}",
        )
    console.note(f"{len(sizes)} images to download, {sum(filter(None, sizes.values())) / 1024**2:.0f} MiB")


def _missing_bases(engine: DockerClient, compose: Compose) -> list[str]:
    """The bases of our own images that are still to be built."""
    own = {name: block for name, block in compose.services.items() if "build" in block}
    bases = {
        base: {"image": base}
        for names in missing_images(engine, own).values()
        for name in names
        for key, base in (own[name]["build"].get("args") or {}).items()
        if key.endswith("_IMAGE")
    }
    return list(missing_images(engine, bases))


def _download_size(image: str, platform: str) -> int | None:
    """Bytes of the image's layers for a platform; None where its registry has no such image."""
    for found in manifest(image):
        described = found.get("Descriptor", {}).get("platform", {})
        document = found.get("SchemaV2Manifest") or found.get("OCIManifest") or {}
        if described.get("architecture", platform) == platform and "layers" in document:
            return sum(int(layer["size"]) for layer in document["layers"])
    return None
