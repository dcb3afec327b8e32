"""What an engine sends of a log, read by a real client."""

from collections.abc import Callable
from typing import Any

import pytest

from loop.engine import connected
from loop.errors import Unreachable
from loop.output import follow, left_by
from loop.process import Ended
from tests.neighbours import Answer, Server

FRAME = b"\x01\0\0\0\0\0\0\x06"  # of standard output, six bytes long
CONTAINER = {"Id": "x", "Config": {"Tty": False}, "State": {"Status": "exited", "ExitCode": 1}}


def engine(log: bytes) -> Callable[..., Answer]:
    """An engine that has one container, with this log."""

    def answer(_: str, path: str, *__: Any) -> Answer:
        what = path.rsplit("/", 1)[1]
        return 200, {"version": {"ApiVersion": "1.41"}, "logs": log, "wait": {"StatusCode": 1}}.get(
            what, CONTAINER
        )

    return answer


@pytest.fixture
def read(
    serve: Callable[[Any], Server], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Any], Ended], bytes], Ended]:
    def look(at: Callable[[Any], Ended], log: bytes) -> Ended:
        monkeypatch.setenv("DOCKER_HOST", serve(engine(log)).address.replace("http", "tcp"))
        with connected() as client:
            return at(client.containers.get("x"))

    return look


@pytest.mark.parametrize("at", [lambda each: follow(each, print), left_by], ids=["follow", "left_by"])
def test_an_engine_that_dies_inside_a_frames_header_is_tried_again(read: Any, at: Any) -> None:
    assert read(at, FRAME + b"line \n").result == "line "
    with pytest.raises(Unreachable, match="the Docker engine broke off in the middle of a container's log"):
        read(at, FRAME + b"line \n" + FRAME[:5])
