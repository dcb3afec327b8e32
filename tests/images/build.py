"""Build the stand-in images that are missing, and write the Compose file that uses them.

For machines that reach Debian's and Go's packages but no image registry. Needs Docker and mmdebstrap
(scripts/engine.sh).
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import dockercli
import override
from programs import compile_program, go_here
from recipes import GOLANG, IMAGES, ROOT, SID, SUITE_OPTIONS, Image, Recipe, Service, Suite

from sandbox import console
from sandbox.errors import MachineError, SandboxError

Programs = dict[str, "Future[Path]"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--override", type=Path, required=True, help="Compose file to write")
    arguments = parser.parse_args()
    try:
        build_missing()
    except SandboxError as error:
        console.problem(str(error), error.hint)
        return 1
    arguments.override.write_text(override.render())
    console.done(f"{arguments.override} uses {len(IMAGES)} stand-ins")
    return 0


def build_missing() -> None:
    """Build images one after the other, and Go programs beside them. Raises MachineError."""
    missing = _missing(IMAGES)
    modules = [image.module for image in missing if isinstance(image, Recipe) and image.module]
    if modules and not go_here():
        _make_all(_missing((SID, GOLANG)), {})
        missing = _missing(missing)
    with ThreadPoolExecutor(max_workers=1) as beside:
        _make_all(missing, {module: beside.submit(_compile, module) for module in modules})


def _missing(images: Iterable[Image]) -> list[Image]:
    return [image for image in images if not dockercli.present(image.tag)]


def _make_all(images: list[Image], programs: Programs) -> None:
    for image in images:
        begun = time.monotonic()
        console.step(f"building {image.tag}")
        make(image, programs)
        console.done(f"{image.tag}: {time.monotonic() - begun:.0f} s, {dockercli.megabytes(image.tag)} MB")


def make(image: Image, programs: Programs) -> None:
    if isinstance(image, Suite):
        _make_suite(image)
    elif isinstance(image, Service):
        _make_service(image)
    else:
        _make_recipe(image, programs)


def _make_suite(suite: Suite) -> None:
    if not shutil.which("mmdebstrap"):
        raise MachineError("mmdebstrap is missing.", "apt-get install mmdebstrap")
    mirror = dockercli.run(ROOT / "scripts/engine.sh", "mirror").strip()
    dockercli.import_suite(suite.tag, suite.name, mirror, SUITE_OPTIONS)


def _make_service(service: Service) -> None:
    options: list[str | Path] = ["--file", ROOT / service.dockerfile]
    options += ["--target", service.target] if service.target else []
    base = {service.argument: service.base.tag}
    dockercli.build(service.tag, service.name, ROOT / service.context, base, options)


def _make_recipe(recipe: Recipe, programs: Programs) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(shutil.copytree(recipe.folder, Path(scratch) / "context"))
        if recipe.module:
            shutil.copy(programs[recipe.module].result(), context / "program")
        dockercli.build(recipe.tag, recipe.name, context, {"BASE": recipe.base.tag})


def _compile(module: str) -> Path:
    begun = time.monotonic()
    program = compile_program(module)
    console.done(f"{module}: compiled in {time.monotonic() - begun:.0f} s")
    return program


if __name__ == "__main__":
    sys.exit(main())
