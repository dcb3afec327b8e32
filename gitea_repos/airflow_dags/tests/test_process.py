"""Programs as processes: result, log, environment and a certain end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import time
from typing import Any

import psutil
import pytest

from loop import wait
from loop.errors import Crashed, Failure
from loop.process import Ended, execute, launcher, read
from loop.settings import task_environment

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"PATH": os.environ["PATH"]}
PASSED = '{"state": "passed", "detail": "fine", "rows": 3}'


def shell(script: str) -> tuple[Ended, list[str]]:
    said: list[str] = []
    return execute(["sh", "-c", script], ENVIRONMENT, said.append), said


def test_the_last_line_of_standard_output_is_the_result() -> None:
    ended, said = shell(f"echo first; echo '{PASSED}'; echo later >&2")
    assert read(ended).values["rows"] == 3
    assert sorted(said) == sorted(["first", PASSED, "later"])


def test_an_expected_failure_carries_its_reason() -> None:
    ended, _ = shell("""echo '{"state": "failed", "detail": "column x has gaps"}'; exit 1""")
    with pytest.raises(Failure, match=r"^column x has gaps$"):
        read(ended)


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("echo oops; exit 3", "exit status 3: oops"),
        (f"echo '{PASSED}'; exit 1", "exit status 1"),
        (
            """echo '{"state": "failed", "detail": "MLflow is away"}'; exit 75""",
            "exit status 75: MLflow is away$",
        ),
        ("echo not json", "exit status 0"),
        ("kill -SEGV $$", "exit status 139"),
        ("true", "it printed nothing"),
        ("exec missing-program", "127"),
    ],
)
def test_anything_else_is_a_crash_with_the_last_lines(script: str, seen: str) -> None:
    with pytest.raises(Crashed, match=seen):
        read(shell(script)[0])


def test_a_secret_never_breaks_a_result_and_is_masked_in_what_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATUS_TOKEN", "passed")
    monkeypatch.setenv("AIRFLOW_PASSWORD", "detail")
    result = {"state": "passed", "detail": "all passed", "found": ["a detail", {"detail": 3}]}
    ended, said = shell(f"echo '{json.dumps(result)}'")
    outcome = read(ended)
    assert (outcome.state, outcome.detail) == ("passed", "all ****")
    assert outcome.values == result | {"detail": "all ****", "found": ["a ****", {"detail": 3}]}
    assert "passed" not in f"{said} {ended}"
    with pytest.raises(Failure, match=r"^\*{4} it was$"):
        read(shell("""echo '{"state": "failed", "detail": "passed it was"}'; exit 1""")[0])
    with pytest.raises(Crashed, match=r"status 3: un\*{4}$"):
        read(shell("echo unpassed; exit 3")[0])


def test_a_task_sees_loop_env_and_the_machine_but_nothing_of_airflow() -> None:
    environ = {
        "PATH": "/bin",
        "UV_CACHE_DIR": "c",
        "STATUS_URL": "s",
        "AIRFLOW__CORE__FERNET_KEY": "f",
        "X": "y",
    }
    assert task_environment(environ) == {"PATH": "/bin", "UV_CACHE_DIR": "c", "STATUS_URL": "s"}
    seen = execute(["/usr/bin/env"], {"A": "b", "LANG": "C.UTF-8"}, lambda _: None).tail
    assert sorted(seen) == ["A=b", "LANG=C.UTF-8"]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "kill"])
def test_a_program_and_its_children_end_with_their_starter(tmp_path: Path, number: int) -> None:
    program = f"sleep 100 & echo $! > {tmp_path}/a; echo $$ > {tmp_path}/b; wait"
    code = f"from loop.process import execute; execute(['sh', '-c', {program!r}], {ENVIRONMENT!r}, print)"
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    files = [tmp_path / "a", tmp_path / "b"]
    assert wait.until(lambda: all(file.exists() and file.read_text().strip() for file in files), 10, 0.02)
    pids = [int(file.read_text()) for file in files]
    assert all(alive(pid) for pid in pids)
    starter.send_signal(number)
    starter.wait()
    assert wait.until(lambda: not any(alive(pid) for pid in pids), 5, 0.02)


def test_a_stubborn_program_is_forced_and_what_it_left_behind_too(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise TimeoutError

    program = f"trap '' TERM; sleep 100 & echo $! > {tmp_path}/a; echo started; while :; do wait; done"
    with pytest.raises(TimeoutError):
        execute(["sh", "-c", program], ENVIRONMENT, interrupt)
    assert not alive(int((tmp_path / "a").read_text()))


def test_a_background_process_left_behind_does_not_outlive_the_task(tmp_path: Path) -> None:
    ended, _ = shell(f"sleep 20 & echo $! > {tmp_path}/a; echo '{PASSED}'")
    assert read(ended).state == "passed"
    assert (tmp_path / "a").stat().st_mtime > time() - 10, "it was waited for"
    assert not alive(int((tmp_path / "a").read_text()))


@pytest.mark.parametrize(
    ("image", "store", "reason"),
    [
        ("registry:5000/x@sha256:1", "file:///x", "a process runs images of the form env:sha256"),
        (f"env:sha256:{'a' * 64}", "s3://x", "a process needs a file:// address"),
        (f"env:sha256:{'a' * 64}", "file:///nowhere", "is not in the store"),
        ("env:sha256:../../etc", "file:///x", "a process runs images"),
    ],
)
def test_an_image_that_cannot_be_run_is_a_clear_failure(image: str, store: str, reason: str) -> None:
    with pytest.raises(Failure, match=reason):
        launcher(image, store)


def test_an_image_is_found_in_a_store_with_a_blank_in_its_path(tmp_path: Path) -> None:
    run: Any = tmp_path / "my store" / ("a" * 64) / "run"
    run.parent.mkdir(parents=True)
    run.write_text("#!/bin/sh\n")
    run.chmod(0o755)
    assert launcher(f"env:sha256:{'a' * 64}", (tmp_path / "my store").as_uri()) == str(run)
