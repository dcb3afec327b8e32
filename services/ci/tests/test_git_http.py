"""Git over HTTP with the real git on both sides and the real server between them."""

from __future__ import annotations

import gzip
import http.client
import os
import select
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from workshop import JENKINSFILE, MAKEFILE, TOKEN, Server, basic, git, wait_for

from ci.git_http import AT_ONCE

OWNER, PASSWORD = "sandbox", "p@ss:w/ord"
NAME = "model_training"
SECONDS = 30  # a busy machine is no failure
ADMIN = (OWNER, PASSWORD)


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Server]:
    (Path(environment["GIT_ROOT"])).rmdir()
    environment |= {"CI_GIT_HTTP": "true", "CI_ADMIN_USER": OWNER, "CI_ADMIN_PASSWORD": PASSWORD}
    server = Server(environment)
    try:
        server.start()
        create(server)
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def create(server: Server) -> None:
    api = f"{server.url}/api/v1"
    for path, body in (("orgs", {"username": "mlops"}), ("orgs/mlops/repos", {"name": NAME})):
        made = requests.post(f"{api}/{path}", json=body, auth=ADMIN, timeout=SECONDS)
        assert made.status_code == 201, made.text


def address(server: Server, login: str = "") -> str:
    return server.url.replace("://", f"://{login}@" if login else "://") + f"/mlops/{NAME}.git"


@pytest.fixture
def work(server: Server, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", address(server), "work")
    work = tmp_path / "work"
    git(work, "remote", "set-url", "--push", "origin", address(server, f"loop:{TOKEN}"))
    for name, text in {"Makefile": MAKEFILE, "Jenkinsfile": JENKINSFILE}.items():
        (work / name).write_text(text)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "First")
    return work


def try_push(work: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *options, "push", url, "HEAD:refs/heads/main"]
    env = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}
    return subprocess.run(command, cwd=work, capture_output=True, text=True, env=env)


def test_a_push_is_built_and_the_pusher_told_where(
    server: Server, work: Path, environment: dict[str, str]
) -> None:
    said = git(work, "push", "origin", "main")
    assert f"remote: ci: build queued: {environment['CI_WEB_URL']}/job/{NAME}/1/" in said
    build = wait_for(lambda: (found := server.build(NAME)) and found["result"] and found)
    assert (build["result"], build["commit"]) == ("SUCCESS", git(work, "rev-parse", "HEAD"))


def test_whoever_reads_needs_no_login(server: Server, work: Path, tmp_path: Path) -> None:
    git(work, "push", "--quiet", "origin", "main")
    for number, version in enumerate(("0", "2")):
        git(
            tmp_path,
            "-c",
            f"protocol.version={version}",
            "clone",
            "--quiet",
            address(server),
            f"clone{number}",
        )
        assert (tmp_path / f"clone{number}" / "Makefile").read_text() == MAKEFILE
    git(tmp_path, "clone", "--quiet", "--depth=1", "--filter=blob:none", address(server), "shallow")
    git(tmp_path / "clone0", "fetch", "--quiet", "origin", git(work, "rev-parse", "HEAD"))


@pytest.mark.parametrize("login", ["", "loop:wrong", "other:" + TOKEN, f"{OWNER}:{TOKEN}", "loop:"])
def test_whoever_writes_needs_one(server: Server, work: Path, login: str) -> None:
    done = try_push(work, address(server, login))
    assert done.returncode != 0
    assert "Authentication failed" in done.stderr or "could not read" in done.stderr
    direct = requests.post(f"{address(server)}/git-receive-pack", data=b"0000", timeout=SECONDS)
    assert (direct.status_code, direct.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    assert git(work, "ls-remote", address(server)) == ""


def test_the_owner_and_a_login_as_a_header_may_push(server: Server, work: Path) -> None:
    done = try_push(work, address(server, f"{OWNER}:p%40ss%3Aw%2Ford"))
    assert done.returncode == 0, done.stderr
    git(work, "commit", "--quiet", "--allow-empty", "--message", "Second")
    header = f"http.extraHeader=Authorization: {basic('loop', TOKEN)}"
    assert try_push(work, address(server), "-c", header).returncode == 0


def test_a_big_push_in_chunks_arrives_and_comes_back(server: Server, work: Path, tmp_path: Path) -> None:
    blob = os.urandom(12_000_000)  # three times what other routes accept, and nothing to compress
    (work / "blob").write_bytes(blob)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "Big")
    git(work, "-c", "http.postBuffer=65536", "push", "--quiet", "origin", "main")
    git(tmp_path, "clone", "--quiet", address(server), "back")
    assert (tmp_path / "back" / "blob").read_bytes() == blob


def test_many_refs_are_asked_for_compressed(server: Server, work: Path) -> None:
    git(work, "push", "--quiet", "origin", "main")
    sha = git(work, "rev-parse", "HEAD")
    lines = [f"want {sha} ofs-delta\n", "", *(f"have {n:040x}\n" for n in range(1, 40)), "done\n"]
    body = "".join(f"{len(line) + 4:04x}{line}" if line else "0000" for line in lines).encode()
    headers = {
        "Content-Type": "application/x-git-upload-pack-request",
        "Content-Encoding": "gzip",
    }
    url = f"{address(server)}/git-upload-pack"
    packed = requests.post(url, data=gzip.compress(body), headers=headers, timeout=SECONDS)
    assert packed.status_code == 200
    assert b"PACK" in packed.content
    headers.pop("Content-Encoding")
    chunks = requests.post(url, data=iter([body[:100], body[100:]]), headers=headers, timeout=SECONDS)
    assert chunks.content == packed.content


@pytest.mark.parametrize(
    "path",
    [
        f"/other/{NAME}.git/info/refs?service=git-upload-pack",
        "/mlops/nothing.git/info/refs?service=git-upload-pack",
        f"/mlops/{NAME}.git/HEAD",
        f"/mlops/{NAME}.git/config",
        f"/mlops/{NAME}.git/objects/info/packs",
        "/mlops/..%2F..%2Fhome.git/info/refs?service=git-upload-pack",
        "/mlops/-x.git/info/refs?service=git-upload-pack",
        "/mlops/$(touch%20x).git/info/refs?service=git-upload-pack",
    ],
)
def test_nothing_else_is_served(server: Server, path: str) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=SECONDS)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


def test_the_old_protocol_is_refused_with_a_sentence(server: Server) -> None:
    answer = requests.get(f"{address(server)}/info/refs", timeout=SECONDS)
    assert (answer.status_code, "smart protocol" in answer.json()["message"]) == (403, True)


def test_a_wrong_login_is_told_even_to_a_reader(server: Server) -> None:
    url = f"{address(server)}/info/refs?service=git-upload-pack"
    assert requests.get(url, auth=("loop", "wrong"), timeout=SECONDS).status_code == 401
    assert requests.get(url, auth=("loop", TOKEN), timeout=SECONDS).status_code == 200


def test_clients_that_go_away_leave_nothing(server: Server, work: Path) -> None:
    (work / "blob").write_bytes(os.urandom(20_000_000))
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "Big")
    git(work, "push", "--quiet", "origin", "main")
    sha = git(work, "rev-parse", "HEAD")
    body = f"0032want {sha}\n00000009done\n".encode()
    for _ in range(20):  # more than git may have at once
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=SECONDS)
        connection.request("POST", f"/mlops/{NAME}.git/git-upload-pack", body)
        connection.getresponse().read(1000)
        connection.close()
    assert git(work, "ls-remote", address(server), "main").startswith(sha)


def test_idle_senders_stop_neither_pushes_nor_hooks_nor_health(server: Server, work: Path) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    begun = f"POST /mlops/{NAME}.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0032"
    idle = [socket.create_connection((host, int(port)), SECONDS) for _ in range(3 * AT_ONCE)]
    try:
        for connection in idle:
            connection.sendall(begun.encode())
        # who is one too many is told so: those before are all being waited for now
        for _ in range(2 * AT_ONCE):
            ready = select.select(idle, [], [], SECONDS)[0]
            assert ready[0].recv(100).startswith(b"HTTP/1.1 503")
            idle.remove(ready[0])
            ready[0].close()
        assert server.is_healthy()
        assert "build queued" in git(work, "push", "origin", "main")
        # a login in the URL is sent after a 401 only
        header = f"http.extraHeader=Authorization: {basic('loop', TOKEN)}"
        assert git(work, "-c", header, "ls-remote", address(server), "main")
    finally:
        for connection in idle:
            connection.close()


def test_hooks_follow_the_settings(server: Server, work: Path, environment: dict[str, str]) -> None:
    hook_file = Path(environment["CI_HOME"]) / "hook.env"
    assert stat.S_IMODE(hook_file.stat().st_mode) == 0o600
    assert TOKEN not in hook_file.read_text()
    server.end()
    hook = Path(environment["GIT_ROOT"]) / f"{NAME}.git" / "hooks" / "post-receive"
    hook.unlink()
    environment["CI_WEBHOOK_SECRET"] = "it's \\another $one #1"
    server.start()
    assert "build queued" in git(work, "push", "origin", "main")
