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
CONFINED += ["--security-opt=no-new-privileges", "--pids-limit=512"]
BASE = "PYTHON_IMAGE"


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
        base = self._base()
        tag = tag_of_tree(source, base)
        digest = self.registry.digest(repository, tag)
        if digest is None:
            self._build(source, f"{self.settings.store}/{repository}:{tag}", base)
            digest = self.registry.digest(repository, tag)
        else:
            self.say(f"The image of this tree is in the registry: {digest}")
        if digest is None:
            raise ImageError(f"The registry {self.settings.store} lost {repository}:{tag}; run it again.")
        self.registry.tag(repository, digest, head(source))
        return f"{self.settings.store}/{repository}@{digest}"

    def _base(self) -> str:
        """PYTHON_IMAGE; a tag of this registry as the digest that it names now. Raises ImageError."""
        base = self.settings.machine.get(BASE, "")
        name, _, tag = base.removeprefix(f"{self.settings.store}/").partition(":")
        if not base.startswith(f"{self.settings.store}/") or "@" in base:
            return base
        digest = self.registry.digest(name, tag or "latest")
        if digest is None:
            raise ImageError(
                f"The base {base} ({BASE}) is not in the registry; push it there, or let {BASE} name another."
            )
        return f"{self.settings.store}/{name}@{digest}"

    def _build(self, source: Path, name: str, base: str) -> None:
        engine = Engine({**self.settings.machine, BASE: base}, self.say)
        engine.check()
        with tempfile.TemporaryDirectory(prefix="ci-image-") as scratch:
            context = Path(scratch, "tree")
            unpack(source, context)
            if not (context / "Dockerfile").is_file():
                raise ImageError("There is no Dockerfile at the top of the commit; add one.")
            options = ["--progress=plain", "--network=host", f"--tag={name}"]
            engine.call("build", *options, *self._arguments(), *self._secrets(), str(context))
        engine.call("push", "--quiet", name)

    def _arguments(self) -> list[str]:
        """Names only: the client takes the values from its environment, which no list of processes shows."""
        names = [BASE, *PROXIES, *(name.lower() for name in PROXIES)]
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
        names = [f"--env={name}" for name in sorted(handed_on)]
        self.engine.become(["run", *CONFINED, *self._limits(), *names, ref, *argv], handed_on)

    def _limits(self) -> list[str]:
        memory, cpus = self.settings.memory, self.settings.cpus
        limits = {"memory": memory, "memory-swap": memory, "cpus": cpus}  # the first two together: no swap
        return [f"--{name}={value}" for name, value in limits.items() if value]


def tag_of_tree(source: Path, base: str) -> str:
    """The tag that an image of HEAD on this base has; equal for equal trees."""
    tree = git(source, "rev-parse", "HEAD^{tree}").strip()
    return f"tree-{tree}" + (f"-{hashlib.sha256(base.encode()).hexdigest()[:12]}" if base else "")
