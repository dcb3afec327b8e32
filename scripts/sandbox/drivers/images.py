"""The images that this project builds itself: named by what they are made of, built where missing."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import ImageNotFound

from sandbox import console
from sandbox.compose import Compose
from sandbox.errors import ServiceError
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
}
BASE, BASE_TAG = "base/python", "sandbox"  # what compose.ci.yaml calls PYTHON_IMAGE, at the registry
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
REGISTRY_HINT = "Run: make logs SERVICE=registry"
NOT_IN_IMAGES = {"tests", "__pycache__", ".venv", ".pytest_cache", ".ruff_cache"}
DIGITS = 12


def image_tags(override: str) -> dict[str, str]:
    """`TAG_<SERVICE>` of every image of ours; an override file may name other bases, so it counts too."""
    return {f"TAG_{name.upper().replace('-', '_')}": _digest(name, override) for name in SOURCES}


@cache
def _digest(name: str, override: str) -> str:
    files = [path for source in SOURCES[name] for path in _files(ROOT / source)]
    digest = hashlib.sha256()
    for path in [*files, *([Path(override)] if override else []), ROOT / "compose" / "compose.yaml"]:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = (path for path in sorted(source.rglob("*")) if path.is_file())
    return [path for path in found if not NOT_IN_IMAGES & set(path.relative_to(source).parts)]


def missing_images(engine: DockerClient, services: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Images that the engine does not have, each with the services that need it."""
    wanted: dict[str, list[str]] = {}
    for name, block in services.items():
        wanted.setdefault(block["image"], []).append(name)
    return {image: names for image, names in wanted.items() if not _has(engine, image)}


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
    image = engine.images.get(base) if _has(engine, base) else engine.images.pull(base)
    if _published(registry) == image.id:
        return False
    image.tag(f"{registry}/{BASE}", tag=BASE_TAG)
    for line in engine.images.push(f"{registry}/{BASE}", tag=BASE_TAG, stream=True, decode=True):
        if "error" in line:
            raise ServiceError(f"The registry did not take the base image: {line['error']}", REGISTRY_HINT)
    engine.images.remove(f"{registry}/{BASE}:{BASE_TAG}")
    return True


def _published(registry: str) -> str:
    """The id of the image in the registry, empty where there is none."""
    accepted = {"Accept": ", ".join(MANIFESTS)}
    found = Http("registry", f"http://{registry}", accepted).find(f"/v2/{BASE}/manifests/{BASE_TAG}")
    return str(found.get("config", {}).get("digest", "")) if found else ""


def _has(engine: DockerClient, image: str) -> bool:
    try:
        engine.images.get(image)
    except ImageNotFound:
        return False
    return True
