"""What goes after a build: images and environments of a folder of images, beyond the numbers of .env.

An image is a tree of some hundred kilobytes, an environment has hundreds of megabytes. What anybody needs
stays: what the newest green commits are run with, the registry's aliases, and runs that have not ended.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ci.environments import locked
from ci.errors import CiError
from ci.sessions import NotYet

LOG = logging.getLogger(__name__)
REF = "env:sha256:{}"
LEFT_OVER = 86_400.0  # seconds after which a half-made image is nobody's work any more


@dataclass(frozen=True)
class Image:
    """An image in its folder; `used` is when a build last made or met it, in Unix seconds."""

    path: Path
    repository: str
    environment: str
    used: float

    @property
    def ref(self) -> str:
        return REF.format(self.path.name)


@dataclass(frozen=True)
class Shelf:
    """The images below one folder, and how much of them is kept.

    `images` for each repository and `environments` for all of them count what nobody needs, too.
    """

    folder: Path
    images: int
    environments: int

    def tidy(self, needed: Callable[[], set[str]]) -> list[Path]:
        """Remove what is beyond the numbers but for the refs in `needed`; what went.

        `needed` is asked only where something may go; what it raises (NotYet, CiError) keeps all.
        """
        try:
            with locked(self.folder / ".lock", wait=False):
                return self._tidy(needed)
        except BlockingIOError:  # a build is making an image: the next build tidies
            return []

    def _tidy(self, needed: Callable[[], set[str]]) -> list[Path]:
        images = self._images()
        if not self._surplus(images, newest_of_each(images)):
            return self._remove(self._left_over())
        wanted = needed()
        stay = newest_of_each(images) + [image for image in images if image.ref in wanted]
        return self._remove([*self._surplus(images, stay), *self._left_over()])

    def _surplus(self, images: list[Image], stay: list[Image]) -> list[Path]:
        """Images and environments that go; `stay` are those that may not."""
        environments = self._environments({image.environment for image in stay})
        newest = {image.path for image in self._newest(images)} | {image.path for image in stay}
        # an image without its environment is of no use
        gone = [i.path for i in images if i.path not in newest or i.environment not in environments]
        return gone + [path for path in self._all_environments() if path.name not in environments]

    def _newest(self, images: list[Image]) -> Iterable[Image]:
        for repository in {image.repository for image in images}:
            yield from [image for image in images if image.repository == repository][: self.images]

    def _environments(self, needed: set[str]) -> set[str]:
        """The names of those that stay: needed, and the newest up to the number."""
        spare = [path.name for path in self._all_environments() if path.name not in needed]
        return needed | set(spare[: max(0, self.environments - len(needed))])

    def _images(self) -> list[Image]:
        """Every image, the one used last first; a folder that is none is left alone."""
        found = [image for path in self.folder.glob("[0-9a-f]*") if (image := read_image(path))]
        return sorted(found, key=lambda image: image.used, reverse=True)

    def _all_environments(self) -> list[Path]:
        """Every environment, the one used last first."""
        found = [path for path in (self.folder / "environments").glob("[0-9a-f]*") if path.is_dir()]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

    def _left_over(self) -> list[Path]:
        before = time.time() - LEFT_OVER
        return [path for path in self.folder.glob(".new-*") if path.stat().st_mtime < before]

    def _remove(self, paths: list[Path]) -> list[Path]:
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)
            path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        return paths


def newest_of_each(images: list[Image]) -> list[Image]:
    """The image each repository used last: a build may be at work with it."""
    return list({image.repository: image for image in reversed(images)}.values())


def read_image(path: Path) -> Image | None:
    """The image in a folder, None where there is none."""
    try:
        facts = json.loads((path / "image.json").read_text(encoding="utf-8"))
        return Image(path, facts["repository"], facts["environment"], path.stat().st_mtime)
    except (OSError, ValueError, KeyError):
        return None


def tidy(shelf: Shelf, needed: Callable[[], set[str]]) -> None:
    """Tidy a shelf; what hinders it is logged, for no build may fail by it."""
    try:
        if gone := shelf.tidy(needed):
            LOG.info(
                "removed %s images and environments: %s", len(gone), ", ".join(p.name[:12] for p in gone)
            )
    except (NotYet, CiError, OSError) as error:
        LOG.warning("no images were removed this time: %s", error)
    except Exception:  # an answer that nobody expected
        LOG.exception("no images were removed this time")
