"""The server as a process: the hook end to end, signals, restarts and pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from workshop import (
    JENKINSFILE,
    MAKEFILE,
    SCRIPTS,
    SECRET,
    TOKEN,
    Repository,
    Server,
    git,
    pipeline,
    wait_for,
)

from ci.hook import AWAY, report_pushes
from ci.settings import HookSettings
from ci.store import Store

NAME = "model_training"
FILES = {"Makefile": MAKEFILE, "Jenkinsfile": JENKINSFILE}


@pytest.fixture
def hook_file(environment: dict[str, str], tmp_path: Path) -> Path:
    file = tmp_path / "hook.env"
    keys = ("CI_URL", "CI_WEB_URL", "CI_WEBHOOK_SECRET", "ORGANISATION")
    file.write_text("".join(f"{key}={environment[key]}\n" for key in keys))
    return file


@pytest.fixture
def hooked(repository: Repository, hook_file: Path) -> Repository:
    hook = repository.bare / "hooks" / "post-receive"
    hook.write_text(f'#!/bin/sh\nexec "{SCRIPTS}/ci" hook --env "{hook_file}"\n')
    hook.chmod(0o755)
    return repository


def ended(server: Server, number: int = 1) -> dict:
    return wait_for(lambda: (found := server.build(NAME, number)) and found["result"] and found)


def test_a_push_is_built_and_the_pusher_told_where(
    server: Server, hooked: Repository, environment: dict[str, str]
) -> None:
    server.start()
    sha = hooked.commit(FILES, "A message")
    said = hooked.push()
    assert f"ci: build queued: {environment['CI_WEB_URL']}/job/{NAME}/1/" in said
    build = ended(server)
    assert (build["result"], build["commit"], build["branch"], build["building"]) == (
        "SUCCESS",
        sha,
        "main",
        False,
    )
    assert [stage["name"] for stage in build["stages"]] == ["lint", "test", "deliver"]
    status = server.get(f"/api/v1/repos/mlops/{NAME}/commits/main/status").json()
    assert status["state"] == "success"
    assert status["statuses"][0]["target_url"] == f"{environment['CI_WEB_URL']}/job/{NAME}/1/"


def test_only_the_head_of_a_push_is_built(server: Server, hooked: Repository) -> None:
    server.start()
    hooked.commit(FILES)
    hooked.commit({"a": "1"})
    head = hooked.commit({"a": "2"})
    hooked.push()
    ended(server)
    (only,) = server.get(f"/job/{NAME}/api/json").json()["builds"]
    assert only["commit"] == head


def test_new_branches_force_pushes_tags_and_deletions(server: Server, hooked: Repository) -> None:
    server.start()
    hooked.commit(FILES)
    assert "build queued" in hooked.push("refs/heads/feature/;x")
    hooked.commit({"a": "1"})
    assert "build queued" in hooked.push("refs/heads/feature/;x")
    git(hooked.work, "commit", "--quiet", "--amend", "--message", "Other")
    assert "/2/" not in (said := hooked.push("refs/heads/feature/;x", "--force"))
    assert "/3/" in said
    assert "ci:" not in hooked.push("refs/tags/v1")
    assert "ci:" not in git(hooked.work, "push", "--quiet", "origin", ":refs/heads/feature/;x")
    ended(server, 3)
    assert len(server.get(f"/job/{NAME}/api/json").json()["builds"]) == 3


def test_a_push_while_ci_is_away_is_kept_and_built_later(server: Server, hooked: Repository) -> None:
    hooked.commit(FILES)
    said = hooked.push()
    assert f"ci: {AWAY}" in said
    server.start()
    assert ended(server)["result"] == "SUCCESS"


def test_a_refused_push_is_kept_and_says_so(server: Server, hooked: Repository, hook_file: Path) -> None:
    server.start()
    hook_file.write_text(hook_file.read_text().replace(SECRET, "wrong"))
    sha = hooked.commit(FILES)
    assert "CI refused to build refs/heads/main (403)" in hooked.push()
    assert git(hooked.bare, "rev-parse", "main") == sha


def test_a_hook_without_settings_says_so_in_one_line(hooked: Repository, hook_file: Path) -> None:
    hooked.commit(FILES)
    hook_file.unlink()
    said = hooked.push()
    assert "Cannot read the settings file" in said
    assert "Traceback" not in said


def test_the_payload_is_giteas(hooked: Repository, hook_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict] = []

    def catch(_settings: HookSettings, body: bytes) -> tuple[int, dict]:
        sent.append(json.loads(body))
        return 200, {}

    monkeypatch.setattr("ci.hook.send", catch)
    hooked.commit({"kept": "1", "gone": "1"})
    before = git(hooked.work, "rev-parse", "HEAD")
    (hooked.work / "gone").unlink()
    after = hooked.commit({"kept": "2", "né w\n": "3"}, "Über\n\nBody\x1e")
    git(hooked.bare, "fetch", "--quiet", str(hooked.work), "main:main")
    settings = HookSettings.from_file(hook_file)
    list(
        report_pushes(
            settings, hooked.bare, [f"{before} {after} refs/heads/main\n", f"{'0' * 40} {after} refs/heads/n"]
        )
    )
    push = sent[0]
    (commit,) = push["commits"]
    assert (push["ref"], push["before"], push["after"], push["total_commits"]) == (
        "refs/heads/main",
        before,
        after,
        1,
    )
    assert (commit["id"], commit["message"].removesuffix("\n")) == (after, "Über\n\nBody\x1e")
    assert (commit["added"], commit["removed"], commit["modified"]) == (["né w\n"], ["gone"], ["kept"])
    assert commit["author"] == {"name": "Ada", "email": "ada@example.org", "username": "Ada"}
    assert push["head_commit"] == commit
    assert push["repository"]["full_name"] == f"mlops/{NAME}"
    assert push["repository"]["owner"]["username"] == "mlops"
    assert {"pusher", "sender", "compare_url"} < set(push)
    assert sent[1]["total_commits"] == 1


def test_a_push_of_many_commits_is_bounded_and_quick(hooked: Repository, server: Server) -> None:
    server.start()
    hooked.commit(FILES)
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@b> {10**9 + n} +0000\ndata 1\nx\n"
        f"M 644 inline f{n}\ndata 1\ny\n"
        for n in range(300)
    )
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=hooked.work, input=stream.encode(), check=True
    )
    started = time.monotonic()
    assert "build queued" in git(hooked.work, "push", "--quiet", "origin", "main")
    assert time.monotonic() - started < 4


def long_build(tmp_path: Path) -> dict[str, str]:
    """A build that takes long the first time and writes down its process."""
    script = f"echo $$ >> {tmp_path}/pids; test $(wc -l < {tmp_path}/pids) -gt 1 || (sleep 120; true)"
    return {"Jenkinsfile": pipeline("a: echo hello", f"long: {script}")}


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return subprocess.run(["ps", "-p", str(process)], capture_output=True).returncode == 0
    return state != "Z"


def running(server: Server, hooked: Repository, tmp_path: Path) -> int:
    """Start a long build; the process of its step."""
    server.start()
    hooked.commit(long_build(tmp_path))
    hooked.push()
    wait_for(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text())
    return int((tmp_path / "pids").read_text().split()[0])


def test_sigterm_ends_steps_and_the_build_runs_again(
    server: Server, hooked: Repository, tmp_path: Path
) -> None:
    process = running(server, hooked, tmp_path)
    group = os.getpgid(process)
    assert server.end() == 0
    assert not is_alive(process)
    assert subprocess.run(["pgrep", "-g", str(group), "-r", "S,R"], capture_output=True).stdout == b""
    server.start()
    build = ended(server)
    assert build["result"] == "SUCCESS"
    assert len((tmp_path / "pids").read_text().split()) == 2


def workers(server: Server) -> list[int]:
    """The processes below the server's own."""
    done = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True)
    return [int(process) for process in done.stdout.split()]


def test_a_killed_server_ends_its_steps(server: Server, hooked: Repository, tmp_path: Path) -> None:
    process = running(server, hooked, tmp_path)
    (worker,) = workers(server)
    server.end(signal.SIGKILL)
    server.start()  # at once: the worker of the old one may still answer
    wait_for(lambda: not is_alive(worker))
    wait_for(server.is_healthy)
    assert ended(server)["result"] == "SUCCESS"
    assert not is_alive(process)


def test_a_server_that_is_starting_can_be_ended(server: Server) -> None:
    server.start()
    server.end()
    for seconds in (0.2, 0.5, 0.8):
        server.process = subprocess.Popen(
            [SCRIPTS / "ci", "serve"],
            env=server.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(8) in (0, -signal.SIGTERM)


DEAF = """
import signal, threading
from types import SimpleNamespace
from ci.server import listen_to_nudges, stop_at_end

def leave(*_):
    raise SystemExit(3)

signal.signal(signal.SIGTERM, leave)
listen_to_nudges()
threading.Thread(target=stop_at_end, args=(SimpleNamespace(stop=lambda: print("stopped")), PARENT)).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # another thread gets it: this one sleeps on
print("ready", flush=True)
threading.Event().wait()
"""


def state_of(process: int) -> str:
    """The state of its main thread, by the letter of proc(5): S is asleep."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_signal_that_did_not_wake_the_main_thread_is_heard() -> None:
    script = DEAF.replace("PARENT", str(os.getpid()))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            wait_for(lambda: state_of(process.pid) == "S")
            process.terminate()
            assert process.communicate(timeout=20)[0] == "stopped\n"
            assert process.returncode == 3
        finally:
            process.kill()


def test_the_steps_of_a_killed_worker_end_at_the_next_start(
    server: Server, hooked: Repository, tmp_path: Path
) -> None:
    process = running(server, hooked, tmp_path)
    store = Store(Path(server.environment["CI_HOME"]) / "ci.db")
    wait_for(lambda: process in [leader for _, leader, _ in store.processes()])
    (worker,) = workers(server)
    os.kill(worker, signal.SIGKILL)
    assert server.process.wait(20) == 1
    assert is_alive(process)
    server.start()
    assert not is_alive(process)
    assert ended(server)["result"] == "SUCCESS"


def test_a_second_server_is_refused(server: Server, environment: dict[str, str]) -> None:
    server.start()

    def refused(**changes: str) -> str:
        done = subprocess.run(
            [SCRIPTS / "ci", "serve"], env=environment | changes, capture_output=True, text=True, timeout=20
        )
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        return done.stderr

    assert "Cannot listen" in refused(CI_HOME=f"{environment['HOME']}/other")
    assert "Another CI server works in" in refused()
    assert "CI_KEEP_BUILDS is not set" in refused(CI_KEEP_BUILDS="")
    assert "CI_STAGE_TIMEOUT is 'x'" in refused(CI_STAGE_TIMEOUT="x")


def test_a_reload_signal_starts_no_second_queue(server: Server) -> None:
    server.start()
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert server.is_healthy()
    assert len(workers(server)) == 1


def test_pages_show_everything_and_escape_it(
    server: Server, make_repository: Callable[[str], Repository]
) -> None:
    evil = "<script>alert(1)</script>"
    repository = make_repository(NAME)
    repository.push_files({"Jenkinsfile": pipeline(f"st{evil.replace('/', '')}: echo '{evil}'; false")}, evil)
    make_repository("data_preprocessing")
    server.start()
    build = ended(server)
    assert build["result"] == "FAILURE"
    for path in ("/", f"/job/{NAME}/", f"/job/{NAME}/1/"):
        page = server.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http-equiv" not in server.get(f"/job/{NAME}/1/").text
    assert "No builds yet" in server.get("/job/data_preprocessing/").text
    console = server.get(f"/job/{NAME}/1/consoleText")
    assert console.headers["Content-Type"].startswith("text/plain")
    assert evil in console.text
    assert {"number", "url", "timestamp", "duration"} < set(build)


def test_unknown_pages_are_404_in_words(server: Server) -> None:
    server.start()
    for path in (
        "/job/nothing/",
        "/job/nothing/api/json",
        "/job/x/1/",
        "/job/x/99999999999999999999/",
        "/x",
        "/job/..%2fx/",
    ):
        page = server.get(path)
        assert (path, page.status_code) == (path, 404)
        assert page.json()["message"]
    assert requests.post(f"{server.url}/", timeout=5).status_code == 405


def test_a_page_that_is_building_refreshes_itself(server: Server, hooked: Repository, tmp_path: Path) -> None:
    running(server, hooked, tmp_path)
    assert 'http-equiv="refresh"' in server.get(f"/job/{NAME}/1/").text
    build = server.build(NAME)
    assert (build["building"], build["result"]) == (True, None)
    assert [stage["state"] for stage in build["stages"]] == ["passed", "running"]
    pending = server.get(f"/api/v1/repos/mlops/{NAME}/commits/main/status").json()
    assert pending["statuses"][0]["description"] == "stage long"


def test_a_status_can_be_posted_while_a_build_runs(
    server: Server, hooked: Repository, tmp_path: Path
) -> None:
    running(server, hooked, tmp_path)
    answer = requests.post(
        f"{server.url}/api/v1/repos/mlops/{NAME}/statuses/main",
        json={"state": "success", "context": "image"},
        auth=("loop", TOKEN),
        timeout=5,
    )
    assert answer.status_code == 201
