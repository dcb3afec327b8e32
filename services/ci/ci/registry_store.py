"""Images in a registry: built and run by an engine, named by digest."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ci.engine import Engine
from ci.errors import ImageError
from ci.git import git, head
from ci.images import Say, unpack
from ci.registry import Registry
from ci.settings import PROXIES, ImageSettings

NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
# An image may do what a task may; --init, or a command that sets no handler would ignore signals.
CONFINED = ["--rm", "--init", "--interactive", "--network=host", "--cap-drop=ALL"]
CONFINED += ["--security-opt=no-new-privileges"]


@dataclass(frozen=True)
class RegistryStore:
    """The registry that IMAGE_STORE names as host:port."""

    settings: ImageSettings
    say: Say

    @property
    def engine(self) -> Engine:
        return Engine(self.settings.machine, self.say)

    @property
    def registry(self) -> Registry:
        return Registry(self.settings.store)

    def build(self, source: Path, repository: str) -> str:
        """Make and push the image of HEAD of `source`; its ref. Raises ImageError.

        An equal tree on an equal base is an equal image: builds differ in time stamps, so the registry's
        tag of the tree decides whether to build at all.
        """
        if not NAME.fullmatch(repository):
            raise ImageError(f"{repository!r} is no name for an image: small letters, digits and . _ - only.")
        tag = self._tag_of_tree(source)
        digest = self.registry.digest(repository, tag)
        if digest is None:
            self._build(source, f"{self.settings.store}/{repository}:{tag}")
            digest = self.registry.digest(repository, tag)
        else:
            self.say(f"The image of this tree is in the registry: {digest}")
        if digest is None:
            raise ImageError(f"The registry {self.settings.store} lost {repository}:{tag}; run it again.")
        self.registry.tag(repository, digest, head(source))
        return f"{self.settings.store}/{repository}@{digest}"

    def _tag_of_tree(self, source: Path) -> str:
        tree = git(source, "rev-parse", "HEAD^{tree}").strip()
        base = self.settings.machine.get("PYTHON_IMAGE", "")
        return f"tree-{tree}" + (f"-{hashlib.sha256(base.encode()).hexdigest()[:12]}" if base else "")

    def _build(self, source: Path, name: str) -> None:
        self.engine.check()
        with tempfile.TemporaryDirectory(prefix="ci-image-") as scratch:
            context = Path(scratch, "tree")
            unpack(source, context)
            if not (context / "Dockerfile").is_file():
                raise ImageError("There is no Dockerfile at the top of the commit; add one.")
            options = ["--progress=plain", "--network=host", f"--tag={name}"]
            self.engine.call("build", *options, *self._arguments(), *self._secrets(), str(context))
        self.engine.call("push", "--quiet", name)

    def _arguments(self) -> list[str]:
        """Names only: the client takes the values from its environment, which no list of processes shows."""
        names = ["PYTHON_IMAGE", *PROXIES, *(name.lower() for name in PROXIES)]
        return [f"--build-arg={name}" for name in names if self.settings.machine.get(name)]

    def _secrets(self) -> list[str]:
        bundle = self.settings.machine.get("SSL_CERT_FILE")
        if not bundle:
            return []
        if not Path(bundle).is_file():
            raise ImageError(f"SSL_CERT_FILE names {bundle}, and there is no such file.")
        return [f"--secret=id=ca,src={bundle}"]

    def run(self, ref: str, argv: list[str]) -> NoReturn:
        """Become the command in the image. Raises ImageError."""
        if not re.fullmatch(rf"{re.escape(self.settings.store)}/[a-z0-9._/-]+@sha256:[0-9a-f]{{64}}", ref):
            raise ImageError(
                f"{ref[:100]!r} is no image of {self.settings.store}; run `ci image` to make one."
            )
        self.engine.check()
        handed_on = self.settings.handed_on
        limits = [
            f"--{name}={value}"
            for name, value in (("memory", self.settings.memory), ("cpus", self.settings.cpus))
            if value
        ]
        names = [f"--env={name}" for name in sorted(handed_on)]
        self.engine.become(["run", *CONFINED, *limits, *names, ref, *argv], handed_on)
