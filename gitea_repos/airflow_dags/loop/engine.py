"""The Docker Engine that DOCKER_HOST names: a connection, its errors in the loop's words, an image by digest.

Protocol: Docker Engine API by the package `docker`. Its import takes half a second, so only a task that needs
it pays: no module imports it at the top.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from loop.errors import Failure, LoopError, Unreachable
from loop.http import innermost

if TYPE_CHECKING:
    from docker import DockerClient

SECONDS = 30  # for an answer of the engine; pulls and logs may take as long as the task
PASSING = (404, 409)  # what was there a moment ago is gone, or is just going
ABSENT = re.compile(r"manifest unknown|name unknown|not found|does not exist")


@contextmanager
def connected() -> Iterator["DockerClient"]:
    """A client of the engine; what goes wrong with the engine in the block is raised in the loop's words.

    Failure where the engine refuses what it is asked, or the settings are wrong; else Unreachable.
    """
    import docker
    from docker.errors import APIError, DockerException, TLSParameterError

    try:
        with closing(docker.from_env(timeout=SECONDS)) as client:
            yield client
    except TLSParameterError as error:
        raise Failure(f"DOCKER_TLS_VERIFY or DOCKER_CERT_PATH of the scheduler is wrong: {error}") from error
    except APIError as error:
        said = f"the Docker engine answered {error.status_code}: {error.explanation}"
        passing = error.status_code in PASSING or not error.is_client_error()
        raise (Unreachable if passing else Failure)(said) from error
    except (DockerException, HTTPError, OSError) as error:
        away = "the Docker engine (DOCKER_HOST of the scheduler) did not answer"
        raise Unreachable(f"{away}: {innermost(error)}") from error


def check_image(image: str, store: str) -> str:
    """The image reference again; raises Failure when it names no image of the store by its digest."""
    if not re.fullmatch(rf"{re.escape(store)}/[a-z0-9][a-z0-9._/-]*@sha256:[0-9a-f]{{64}}", image):
        wanted = f"{store or 'IMAGE_STORE'}/<repository>@sha256:<64 hex digits>"
        raise Failure(f"IMAGE is {image!r}: a container runs images of the form {wanted}")
    return image


def fetch_image(client: "DockerClient", image: str) -> None:
    """Have the image in the engine, from its registry where it is not there yet.

    Raises Failure when the registry has no such image, Unreachable when it does not answer.
    """
    from docker.errors import APIError, ImageNotFound

    try:
        client.images.get(image)
        return
    except ImageNotFound:
        name, digest = image.split("@")
    try:
        for event in client.api.pull(name, tag=digest, stream=True, decode=True):
            if "error" in event:
                raise _not_fetched(image, event["error"])
    except APIError as error:
        raise _not_fetched(image, error.explanation or str(error)) from error


def _not_fetched(image: str, said: str) -> LoopError:
    if ABSENT.search(said):
        return Failure(f"the registry has no image {image}: push its commit again so that CI builds it")
    return Unreachable(f"the image {image} could not be pulled: {said}")
