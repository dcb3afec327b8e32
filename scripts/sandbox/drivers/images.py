"""The images that this project builds itself: named by what they are made of, built where missing."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from docker import DockerClient
from docker.errors import ImageNotFound

from sandbox import console
from sandbox.compose import Compose
from sandbox.errors import ServiceError, SettingsError
from sandbox.http import Http
from sandbox.settings import ROOT

PYTHON = ("services/python.Dockerfile", "services/healthcheck")
AGENT = ("services/jenkins-agent", "services/ci")
# The folders and files that each image is made of.
SOURCES = {
    "engine": ("services/engine",),
    "jenkins": ("jenkins",),
    "jenkins-agent": AGENT,
    "mlflow": (*PYTHON, "services/mlflow"),
    "airflow": (*PYTHON, "services/airflow"),
    "prediction-api": (*PYTHON, "services/prediction-api"),
    "monitor": (*PYTHON, "services/monitor"),
}
BASE, BASE_TAG = "base/python", "sandbox"  # the PYTHON_IMAGE of builds in the engine
REGISTRY_HINT = "Run: make logs SERVICE=registry"
MOUNTED_OF_JENKINS = {"casc", "jobs", "init.groovy.d"}  # read where they lie
CACHES = {"__pycache__", ".venv", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
NOT_IN_IMAGES = MOUNTED_OF_JENKINS | CACHES | {"tests"}
DIGITS = 12


def image_tags(override: str) -> dict[str, str]:
    """`TAG_<SERVICE>` of every image of ours: another one where its sources or its build block are others."""
    blocks = _blocks(override)
    return {f"TAG_{name.upper().replace('-', '_')}": _digest(name, blocks) for name in SOURCES}


def upstream_images(override: str) -> list[str]:
    """The images of others that the Compose files name, bases of our own included. Raises SettingsError."""
    services: dict[str, dict[str, Any]] = {}
    for block in _blocks(override):
        for name, part in block.items():
            services[name] = services.get(name, {}) | part
    images = [image for part in services.values() if "profiles" not in part for image in _named(part)]
    return [image for image in dict.fromkeys(images) if "$" not in image]


def _named(block: dict[str, Any]) -> list[str]:
    """The image of a service, and the bases that its build is given."""
    arguments = (block.get("build") or {}).get("args") or {}
    bases = [str(base) for key, base in arguments.items() if key.endswith("_IMAGE")]
    return [str(block.get("image", "$")), *bases]


def _blocks(override: str) -> list[dict[str, Any]]:
    """The services of every layer, and of the user's own file."""
    layers = [*sorted((ROOT / "compose").glob("compose.*.yaml")), *([Path(override)] if override else [])]
    return [_services(path) for path in layers]


def _digest(name: str, blocks: list[dict[str, Any]]) -> str:
    """Of an image's sources and of its build blocks, which name base, packages and lock."""
    files = [path for source in SOURCES[name] for path in _files(ROOT / source)]
    builds = [block[key]["build"] for block in blocks for key in block if _builds(name, key, block[key])]
    digest = hashlib.sha256(json.dumps(builds, sort_keys=True).encode())
    for path in files:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]


def _services(path: Path) -> dict[str, Any]:
    """The services of a Compose file. Raises SettingsError for a file that is none."""
    try:
        read = yaml.safe_load(path.read_text()) or {}
        return dict(read.get("services") or {})
    except (OSError, yaml.YAMLError, AttributeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} is no Compose file: {error}", "Mend it, or empty COMPOSE_OVERRIDE"
        ) from error


def _builds(name: str, service: str, block: dict[str, Any]) -> bool:
    return "build" in block and service in (name, f"{name}-init")


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = (path for path in sorted(source.rglob("*")) if path.is_file() and path.suffix != ".md")
    return [path for path in found if not NOT_IN_IMAGES & set(path.relative_to(source).parts)]


def missing_images(engine: DockerClient, services: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Images that the engine does not have, each with the services that need it."""
    wanted: dict[str, list[str]] = {}
    for name, block in services.items():
        wanted.setdefault(block["image"], []).append(name)
    return {image: names for image, names in wanted.items() if not has_image(engine, image)}


def build_missing(engine: DockerClient, compose: Compose) -> None:
    """Build our own images that the engine lacks, one at a time. Raises ServiceError."""
    own = {name: block for name, block in compose.services.items() if "build" in block}
    for image, names in missing_images(engine, own).items():
        console.step(f"building {image} (once for each version of it)")
        compose.build(names[:1])


def publish_base(engine: DockerClient, compose: Compose, registry: str) -> bool:
    """Put the Python base of our own images where the inner engine finds it; False where it is there.

    What users push is then built on the same base, without another download. Raises ServiceError.
    """
    base = compose.services["mlflow"]["build"]["args"]["PYTHON_IMAGE"]
    image = engine.images.get(base)  # `prepare` has fetched it
    known = Http("registry", f"http://{registry}").find(f"/v2/{BASE}/tags/list") or {}
    own_tag = str(image.id).partition(":")[2][:DIGITS]
    if own_tag in (known.get("tags") or []):
        return False
    for tag in (own_tag, BASE_TAG):
        _push(engine, image, f"{registry}/{BASE}", tag)
    return True


def _push(engine: DockerClient, image: Any, name: str, tag: str) -> None:
    image.tag(name, tag=tag)
    for line in engine.images.push(name, tag=tag, stream=True, decode=True):
        if "error" in line:
            raise ServiceError(f"The registry did not take the base image: {line['error']}", REGISTRY_HINT)
    engine.images.remove(f"{name}:{tag}")


def own_tags(engine: DockerClient, project: str) -> dict[str, int]:
    """The images that this project has built, old ones included: tag and size in bytes."""
    ours = {f"{project}/{name}" for name in SOURCES}
    tags = [(tag, image.attrs["Size"]) for image in engine.images.list() for tag in image.tags]
    return {tag: size for tag, size in tags if tag.rpartition(":")[0] in ours}


def has_image(engine: DockerClient, image: str) -> bool:
    try:
        engine.images.get(image)
    except ImageNotFound:
        return False
    return True
