"""Programs as containers of a real engine: result, limits, one container a run, a certain end."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from docker import APIClient
from docker.models.containers import Container, ContainerCollection

from loop.container import Job, create, discard, execute, take_over
from loop.engine import connected
from loop.errors import Crashed, Failure, Unreachable
from loop.process import read
from tests.engine import ImageRegistry, Wire, missing
from tests.neighbours import ROOT

PASSED = '{"state": "passed", "detail": "fine"}'
NAMED = f"cat /proc/sys/kernel/random/uuid; echo '{PASSED}'"  # says who it is: no two containers say the same

REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.fixture(scope="module")
def images() -> Iterator[ImageRegistry]:
    made = ImageRegistry()
    yield made
    made.close()


@pytest.fixture
def job(images: ImageRegistry) -> Iterator[Job]:
    """The first try of a task; what its DAG leaves in the engine goes with the test."""
    dag = f"test-{uuid4().hex[:8]}"
    argv = ["sh", "-c", f"echo first; echo trouble >&2; echo '{PASSED}'"]
    own, shared = {"LOOP_RUN_ID": "manual-1", "IMAGE": images.image}, {"GIT_URL": "g"}
    yield Job(dag, "manual__1:2+3", "train", 1, images.image, argv, own, shared, "64m", 0.5)
    for container in present(dag):
        container.remove(force=True)


def present(dag: str) -> list[Any]:
    with connected() as client:
        return client.containers.list(all=True, filters={"name": f"^/{dag}\\."}, ignore_removed=True)


def saying(job: Job, script: str, **changes: Any) -> Job:
    return replace(job, argv=["sh", "-c", script], **changes)


def started(job: Job) -> Any:
    """A container of an earlier try that has lost its scheduler."""
    with connected() as client:
        container = create(client, job)
        container.start()
        return container


def run(job: Job) -> list[str]:
    """The lines of a program that passes."""
    said: list[str] = []
    assert read(execute(job, said.append)).state == "passed"
    return said


def test_the_output_is_said_and_the_container_is_gone(job: Job) -> None:
    said = run(job)
    assert sorted(said) == sorted(["first", "trouble", PASSED])
    assert said.index("first") < said.index(PASSED)
    assert present(job.dag_id) == []


def test_output_is_said_while_the_program_runs(job: Job) -> None:
    def answer(line: str) -> None:
        if line == "waiting":
            present(job.dag_id)[0].kill("TERM")

    script = f"trap 'told=1' TERM; echo waiting; until [ $told ]; do sleep 0.1; done; echo '{PASSED}'"
    assert read(execute(saying(job, script), answer)).state == "passed"


def test_an_expected_failure_carries_its_reason(job: Job) -> None:
    script = """echo '{"state": "failed", "detail": "column x has gaps"}'; exit 1"""
    with pytest.raises(Failure, match=r"^column x has gaps$"):
        read(execute(saying(job, script), print))
    assert present(job.dag_id) == []


def test_another_exit_status_is_a_crash(job: Job) -> None:
    with pytest.raises(Crashed, match="exit status 3: oops"):
        read(execute(saying(job, "echo oops; exit 3"), print))
    assert present(job.dag_id) == []


def test_limits_labels_and_rights(job: Job) -> None:
    with connected() as client:
        attributes = create(client, job).attrs
    config, host = attributes["Config"], attributes["HostConfig"]
    assert attributes["Name"] == f"/{job.dag_id}.manual__1_2_3.train.1"
    labels = {"run": "manual__1:2+3", "task": "train", "try": "1"}
    assert config["Labels"] == {f"mlops-sandbox.{key}": value for key, value in labels.items()}
    assert {"GIT_URL=g", "LOOP_RUN_ID=manual-1"} <= set(config["Env"])
    assert (host["Memory"], host["MemorySwap"]) == (64 * 2**20, 64 * 2**20)
    assert (host["NanoCpus"], host["PidsLimit"], host["NetworkMode"]) == (500_000_000, 512, "host")
    assert config["Image"] == job.image
    said = run(saying(job, f"grep -E 'CapEff|NoNewPrivs' /proc/1/status; echo '{PASSED}'", try_number=2))
    assert said[:2] == ["CapEff:\t0000000000000000", "NoNewPrivs:\t1"]


def test_a_secret_in_the_output_is_masked(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_URL", "http://loop:t0ken-value@gitea.invalid/mlops")
    assert run(saying(job, f"echo t0ken-value; echo '{PASSED}'"))[0] == "****"


def test_a_program_outlives_its_killed_scheduler_and_is_taken_over(job: Job) -> None:
    slow = saying(job, f"cat /proc/sys/kernel/random/uuid; sleep 3; echo '{PASSED}'")
    code = f"from loop.container import *; execute({slow!r}, lambda line: print(line, flush=True))"
    scheduler = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    first = scheduler.stdout.readline().strip()
    scheduler.kill()
    scheduler.communicate()
    assert [each.status for each in present(job.dag_id)] == ["running"]
    assert run(replace(slow, try_number=2))[0] == first
    assert present(job.dag_id) == []


@pytest.mark.parametrize(("status", "state"), [(0, "passed"), (1, "failed")])
def test_a_program_that_has_ended_with_a_result_is_not_run_again(job: Job, status: int, state: str) -> None:
    named = NAMED.replace("passed", state)
    done = saying(job, f"{named}; echo; echo trouble >&2; exit {status}")
    container = started(done)
    container.wait()
    first = container.logs(stderr=False).decode().split()[0]
    said: list[str] = []
    assert execute(replace(done, try_number=2), said.append).status == status
    assert first in said
    assert present(job.dag_id) == []


def test_a_program_that_was_killed_is_run_again(job: Job) -> None:
    container = started(saying(job, "sleep 60"))
    container.kill()
    assert container.wait()["StatusCode"] == 137
    run(saying(job, NAMED, try_number=2))
    assert present(job.dag_id) == []


@pytest.mark.parametrize(
    "end",
    [
        "echo Traceback >&2; exit 1",
        f"echo '{PASSED}'; echo more",
        f"echo '{PASSED}'; exit 1",
        "echo 1; exit 1",
    ],
)
def test_a_program_that_has_ended_without_a_result_is_run_again(job: Job, end: str) -> None:
    crashed = saying(job, f"cat /proc/sys/kernel/random/uuid; {end}")
    container = started(crashed)
    container.wait()
    first = container.logs(stderr=False).decode().split()[0]
    said: list[str] = []
    execute(replace(crashed, try_number=2), said.append)
    assert said
    assert first not in said


@pytest.mark.parametrize(
    "changes",
    [{"run_id": "manual-2"}, {"own": {"CODE_COMMIT": "c"}}, {"argv": ["sh", "-c", NAMED, "x"]}],
    ids=["another run", "another commit", "another program"],
)
def test_a_container_of_another_job_is_removed(job: Job, changes: dict[str, Any]) -> None:
    other = started(saying(job, NAMED))
    other.wait()
    first = other.logs().decode().split()[0]
    assert run(replace(saying(job, NAMED, try_number=2), **changes))[0] != first
    assert present(job.dag_id) == []


def test_another_task_of_this_run_is_left_alone_and_every_task_of_another_run_is_ended(job: Job) -> None:
    other = started(saying(job, "sleep 60", task_id="data"))
    started(saying(job, "sleep 60", task_id="gate", run_id="manual-0"))
    started(saying(job, f"echo '{PASSED}'", task_id="gate", run_id="manual-0", try_number=2)).wait()
    run(job)
    assert [(each.id, each.status) for each in present(job.dag_id)] == [(other.id, "running")]


class Interrupted(BaseException):
    """As Airflow's timeout and kill: no Exception."""


def interrupted_after(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> None:
    """Interrupt the first call of a method as soon as the engine has done what it asks."""
    real, calls = getattr(kind, name), []

    def call(*arguments: Any, **options: Any) -> Any:
        done = real(*arguments, **options)
        calls.append(done)
        if len(calls) == 1:
            raise Interrupted
        return done

    monkeypatch.setattr(kind, name, call)


@pytest.mark.parametrize("taken_over", [True, False], ids=["taken over", "made"])
def test_a_kill_before_the_container_is_known_leaves_none(
    job: Job, monkeypatch: pytest.MonkeyPatch, taken_over: bool
) -> None:
    slow = saying(job, "sleep 60", try_number=2)
    if taken_over:
        started(replace(slow, try_number=1))
        interrupted_after(monkeypatch, Container, "rename")
    else:
        interrupted_after(monkeypatch, ContainerCollection, "create")
    with pytest.raises(Interrupted):
        execute(slow, print)
    assert present(job.dag_id) == []


def test_a_container_that_is_taken_over_just_before_its_stop_goes_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, real = started(saying(job, "sleep 60")), APIClient.post

    def post(client: APIClient, url: str, *arguments: Any, **options: Any) -> Any:
        if url.endswith("/stop"):
            mine.rename(replace(job, try_number=2).name)
        return real(client, url, *arguments, **options)

    monkeypatch.setattr(APIClient, "post", post)
    discard(job.name)
    mine.reload()
    assert (mine.name, mine.status) == (replace(job, try_number=2).name, "running")


def test_a_timeout_ends_the_container(job: Job) -> None:
    def interrupt(*_: Any) -> None:
        raise Interrupted

    def soon(_: str) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(Interrupted):
            execute(saying(job, "trap '' TERM; echo up; while :; do sleep 1; done"), soon)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert present(job.dag_id) == []


def test_a_lost_try_does_not_end_what_another_has_taken_over(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = saying(job, "sleep 60")
    second = replace(slow, try_number=2)

    def lose(*_: Any) -> None:
        with connected() as client:
            assert take_over(client, second)
        raise Interrupted

    monkeypatch.setattr("loop.container.follow", lose)
    with pytest.raises(Interrupted):
        execute(slow, print)
    assert [(each.name, each.status) for each in present(job.dag_id)] == [(second.name, "running")]


def test_too_little_memory_is_said_and_not_tried_again(job: Job) -> None:
    with pytest.raises(Failure, match="more memory than TASK_MEMORY allows, 16m: raise it"):
        execute(saying(job, "exec dd if=/dev/zero of=/dev/null bs=64M", memory="16m"), print)
    assert present(job.dag_id) == []


# Docker's client leaves the socket of a stream that was cut to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_goes_away_is_tried_again_and_the_program_goes_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, slow = Wire(), saying(job, f"cat /proc/sys/kernel/random/uuid; sleep 3; echo '{PASSED}'")
    said: list[str] = []

    def cut(line: str) -> None:
        said.append(line)
        wire.cut()

    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", wire.address)
        with pytest.raises(Unreachable, match="the Docker engine"):
            execute(slow, cut)
    assert run(replace(slow, try_number=2))[0] == said[0]


def test_more_processors_than_there_are_is_a_clear_failure(job: Job) -> None:
    with pytest.raises(Failure, match="CPUs"):
        execute(replace(job, cpus=4096), print)


def test_a_missing_image_is_a_failure_and_a_missing_registry_is_tried_again(job: Job) -> None:
    with pytest.raises(Failure, match=r"the registry has no image .*: push its commit again"):
        execute(replace(job, image=f"{job.image.split('@')[0]}@sha256:{'0' * 64}"), print)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9/x@sha256:0+ could not be pulled: .*refused"):
        execute(replace(job, image=f"127.0.0.1:9/x@sha256:{'0' * 64}"), print)
