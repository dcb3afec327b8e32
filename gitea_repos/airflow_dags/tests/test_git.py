"""A repository behind a login: it works, and nobody reads the token."""

import base64
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from loop.errors import Unreachable
from loop.git import Clone, without_login

TOKEN = "t0ken:with@signs/"
QUOTED = "t0ken%3Awith%40signs%2F"
BASIC = "Basic " + base64.b64encode(f"loop:{TOKEN}".encode()).decode()


@pytest.fixture
def server(serve: Callable[[Any], Any], repository: Callable[[str], Any]) -> Any:
    """The repository `x.git` by the plain files of git's older HTTP protocol, for whoever has the token."""
    bare = repository("x")
    bare.commit("one")
    bare.git("update-server-info")

    def answer(_: str, path: str, *__: Any) -> tuple[int, Any]:
        if made.seen[-1][3].get("Authorization") != BASIC:
            return 401, "who are you?"
        file = bare.folder.parent / path.lstrip("/")
        return (200, file.read_bytes()) if file.is_file() else (404, "")

    made = serve(answer)
    made.headers = {"WWW-Authenticate": 'Basic realm="git"'}
    return made


def address(server: Any, token: str) -> str:
    return f"{server.address.replace('//', f'//loop:{token}@')}/x.git"


def test_a_login_in_the_address_opens_the_repository(server: Any) -> None:
    with Clone(address(server, QUOTED)) as clone:
        assert len(clone.newest(5)) == 1
        assert (
            "t0ken"
            not in subprocess.run(
                ["grep", "-r", "t0ken", clone.folder], capture_output=True, text=True
            ).stdout
        )


@pytest.mark.parametrize("token", ["wr0ng-token", QUOTED], ids=["wrong token", "no such repository"])
def test_no_message_has_the_token(server: Any, token: str) -> None:
    with pytest.raises(Unreachable) as raised, Clone(address(server, token).replace("x.git", "y.git")):
        pass
    assert "git fetch for http://127.0.0.1" in str(raised.value)
    assert "oken" not in str(raised.value) + str(raised.value.__cause__)


@pytest.mark.parametrize("plain", ["file:///srv/x.git", "http://gitea:3000/mlops/x.git", "git@host:x.git"])
def test_an_address_without_a_login_stays_as_it_is(plain: str) -> None:
    assert without_login(plain) == (plain, {})
