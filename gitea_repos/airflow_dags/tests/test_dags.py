"""The DAGs as Airflow sees them, and its operators' ends."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import packages_distributions
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTerminated,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
)

from dags.limits import put_right
from dags.runtime import ProcessTask, work
from dags.stage import Stage, describe, past
from loop import container
from loop.errors import Crashed, Failure, Undone, Unreachable
from loop.process import Ended
from loop.run import Outcome, Run
from tests.neighbours import ROOT

STAGES = ["plan", "data", "train", "gate", "register", "tag", "promote", "serve", "verify"]


@pytest.fixture(scope="module")
def bag(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BundleDagBag]:
    """What Airflow finds in a copy of the repository, tests and all, as a bundle has it."""
    copy, path = tmp_path_factory.mktemp("bundle"), sys.path.copy()
    for name in ("dags", "loop", "tests"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("slo.yaml", ".airflowignore"):
        shutil.copy(ROOT / name, copy / name)
    started = perf_counter()
    loaded = BundleDagBag(dag_folder=copy, bundle_path=copy, bundle_name="airflow_dags")
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    terminal.write_line(f"Airflow loaded the DAGs in {perf_counter() - started:.2f} s")
    yield loaded
    sys.path[:] = path


def test_the_dags_load_without_errors(bag: BundleDagBag) -> None:
    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["drift", "promote_model", "retention", "schedule", "train_and_serve"]


def test_the_order_is_the_loops(bag: BundleDagBag) -> None:
    wanted = {"train_and_serve": STAGES, "promote_model": STAGES[-3:], "drift": ["look", "judge", "start"]}
    for dag_id, stages in wanted.items():
        assert [task.task_id for task in bag.dags[dag_id].topological_sort()] == stages


@pytest.mark.parametrize("dag_id", ["train_and_serve", "promote_model"])
def test_runs_queue_and_every_task_has_an_end(bag: BundleDagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert dag.dagrun_timeout
    assert all(task.execution_timeout for task in dag.tasks)
    # Their own failure is final; a scheduler that is killed under them is met by one more try.
    assert {task.task_id for task in dag.tasks if task.retries == 1} == {"serve", "verify"}
    assert {task.retries for task in dag.tasks} <= {1, 3}


def test_schedule_drift_and_retention_alone_start_by_themselves(bag: BundleDagBag) -> None:
    kinds = {dag_id: type(dag.timetable).__name__ for dag_id, dag in bag.dags.items()}
    assert kinds == {
        "train_and_serve": "NullTimetable",
        "promote_model": "NullTimetable",
        "schedule": "CronTriggerTimetable",
        "retention": "CronTriggerTimetable",
        "drift": "CronTriggerTimetable",
    }


def test_airflow_searches_nothing_but_the_dag_files(bag: BundleDagBag) -> None:
    assert len(bag.dagbag_stats) == len(bag.dags)


def test_no_installed_package_hides_the_bundles_own() -> None:
    # Airflow puts the bundle at the end of the import path, so a package named `loop` would come before it.
    assert not {"loop", "dags"} & set(packages_distributions())


def test_an_unknown_runtime_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_RUNTIME", "pod")
    with pytest.raises(Failure, match="TASK_RUNTIME is 'pod': it must be docker or process"):
        work("data", ["true"], {})


class TaskInstance:
    """As much of Airflow's task instance as an operator uses."""

    try_number, max_tries, bundle_instance = 1, 0, SimpleNamespace(version="d" * 40)

    def __init__(self, **results: Any) -> None:
        self.results, self.pushed, self.recorded = results, {}, None

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return {"return_value": self.results.get(task_ids), "outcome": self.recorded}.get(key)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.fixture
def context(run: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    for name in type(run.settings).__dataclass_fields__:
        monkeypatch.setenv(name.upper(), getattr(run.settings, name))
    dag_run = SimpleNamespace(dag_id="train_and_serve", run_id="manual-1", conf={})
    return {"dag_run": dag_run, "ti": TaskInstance(plan={"code_commit": "c" * 40})}


def stage(result: Outcome | BaseException) -> Stage:
    """The stage `gate` in a DAG with `plan` before and `verify` behind it."""

    def function(_: Run) -> Outcome:
        if isinstance(result, BaseException):
            raise result
        return result

    with DAG("train_and_serve"):
        first, made, last = (Stage(task_id=name, function=function) for name in ("plan", "gate", "verify"))
        first >> made >> last
    return made


def execute(made: Any, context: dict[str, Any]) -> Any:
    """Airflow's own guard lets only its task runner call `execute`; what it wraps is the operator's."""
    return type(made).execute.__wrapped__(made, context)


def test_what_a_stage_waits_for_is_said_while_it_runs(context: dict[str, Any]) -> None:
    seen = []

    def function(run: Run) -> Outcome:
        run.say("waits for a build")
        seen.append(context["ti"].pushed["outcome"])
        return Outcome("passed", "done")

    with DAG("train_and_serve"):
        made = Stage(task_id="plan", function=function)
    execute(made, context)
    assert seen == [{"state": "running", "detail": "waits for a build", "url": ""}]
    assert context["ti"].pushed["outcome"]["detail"] == "done"


def test_a_passed_stage_gives_its_values_and_tells_the_commit(context: dict[str, Any], statuses: Any) -> None:
    assert execute(stage(Outcome("passed", "0.93", {"a": 1})), context) == {"a": 1}
    outcome = context["ti"].pushed["outcome"]
    assert outcome == {
        "state": "passed",
        "detail": "0.93",
        "url": "http://airflow.invalid/dags/train_and_serve/runs/manual-1",
    }
    assert statuses.posted["c" * 40]["gate"]["status"] == "success"


@pytest.mark.parametrize(
    ("result", "raised", "state", "status"),
    [
        (Outcome("rejected", "too low"), DownstreamTasksSkipped, "rejected", "failure"),
        (Outcome("waiting", "later"), DownstreamTasksSkipped, "waiting", "pending"),
        (Outcome("skipped", "too late"), AirflowSkipException, "skipped", "success"),
        (Failure("no"), AirflowFailException, "failed", "failure"),
        (Unreachable("away"), AirflowException, "failed", "failure"),
        (Crashed("oops"), AirflowException, "failed", "failure"),
        (KeyError("x"), KeyError, "failed", "failure"),
        (AirflowTaskTimeout("t"), AirflowFailException, "failed", "failure"),
        (AirflowTaskTerminated("k"), AirflowException, "failed", "failure"),
    ],
)
def test_every_end_is_told(
    context: dict[str, Any], statuses: Any, result: Any, raised: type, state: str, status: str
) -> None:
    with pytest.raises(raised):
        execute(stage(result), context)
    assert context["ti"].pushed["outcome"]["state"] == state
    assert statuses.posted["c" * 40]["gate"]["status"] == status


@pytest.mark.parametrize("again", [Unreachable("away"), AirflowTaskTerminated("ended by Airflow")], ids=repr)
@pytest.mark.parametrize("final", [Failure("no"), AirflowTaskTimeout()], ids=repr)
def test_what_will_be_tried_again_is_not_called_failed(
    context: dict[str, Any], statuses: Any, again: BaseException, final: BaseException
) -> None:
    context["ti"].max_tries = 2
    with pytest.raises(AirflowException) as raised:
        execute(stage(again), context)
    assert not isinstance(raised.value, AirflowFailException)
    assert context["ti"].pushed["outcome"]["state"] == "running"
    assert statuses.posted["c" * 40]["gate"]["status"] == "pending"
    with pytest.raises(AirflowFailException):
        execute(stage(final), context)
    assert context["ti"].pushed["outcome"]["state"] == "failed"


@pytest.mark.parametrize(
    ("recorded", "first", "told"),
    [
        (None, "plan", True),
        ({"state": "running"}, "plan", True),
        ({"state": "passed"}, "promote", True),
        ({"state": "failed"}, "plan", False),
    ],
)
def test_a_lost_task_is_told_by_the_callback(
    context: dict[str, Any], statuses: Any, recorded: Any, first: str, told: bool
) -> None:
    ti = TaskInstance(**{first: {"code_commit": "c" * 40}})
    ti.task_id, ti.recorded = "serve", recorded
    put_right(context | {"run_id": "manual-1", "ti": ti, "reason": "lost"})
    found = statuses.posted.get("c" * 40, {}).get("served", {}).get("status")
    assert found == ("failure" if told else None)


def test_a_task_that_told_nothing_is_unknown() -> None:
    assert past(TaskInstance(), "gate").state == "unknown"


def test_without_settings_a_stage_still_says_why(
    context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_URL")
    with pytest.raises(AirflowFailException, match="GIT_URL not set"):
        execute(stage(Outcome("passed", "")), context)
    assert context["ti"].pushed["outcome"]["detail"].startswith("GIT_URL not set")


def test_a_kill_ends_the_work_but_not_its_aftermath() -> None:
    made = stage(Outcome("passed", ""))
    made.on_kill()
    made.working = True
    with pytest.raises(AirflowTaskTerminated):
        made.on_kill()


def test_a_process_task_runs_its_image_with_its_variables(
    context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launcher = tmp_path / ("a" * 64) / "run"
    launcher.parent.mkdir()
    launcher.write_text(
        """#!/bin/sh\necho '{"state":"passed","detail":"'$1-$LOOP_RUN_ID-${EMPTY-unset}'"}'\n"""
    )
    launcher.chmod(0o755)
    monkeypatch.setenv("IMAGE_STORE", tmp_path.as_uri())
    env = {"IMAGE": f"env:sha256:{'a' * 64}", "LOOP_RUN_ID": "manual-1", "EMPTY": ""}
    with DAG("train_and_serve"):
        Stage(task_id="plan", function=len)
        task = work("data", ["argument"], env)
    assert isinstance(task, ProcessTask)
    assert execute(task, context)["detail"] == "argument-manual-1-unset"


def test_a_container_task_is_this_try_with_loop_env_and_its_own_variables(
    context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[container.Job] = []
    said = Ended(0, '{"state": "passed", "detail": "fine", "mlflow_run_id": "r"}', ())
    monkeypatch.setattr(container, "execute", lambda job, _: jobs.append(job) or said)
    image = f"registry:5000/x@sha256:{'a' * 64}"
    for key, value in {
        "TASK_RUNTIME": "docker",
        "IMAGE_STORE": "registry:5000",
        "TASK_MEMORY": "2g",
        "TASK_CPUS": "1.5",
    }.items():
        monkeypatch.setenv(key, value)
    context["ti"].try_number = 2
    with DAG("train_and_serve"):
        Stage(task_id="plan", function=len)
        task = work("data", ["python"], {"IMAGE": image, "EMPTY": ""})
    assert execute(task, context)["mlflow_run_id"] == "r"
    assert context["ti"].pushed["outcome"]["url"] == "http://mlflow.invalid/#/runs/r"
    (job,) = jobs
    assert (job.name, job.image, job.own) == ("train_and_serve.manual-1.data.2", image, {"IMAGE": image})
    assert (job.memory, job.cpus, job.shared["TASK_RUNTIME"]) == ("2g", 1.5, "docker")
    assert "PATH" not in job.shared


def test_the_dags_load_without_the_package_docker() -> None:
    # Half a second of every task, and the embedded driver does not install it.
    script = "import dags.runtime, sys; sys.exit('docker' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_no_end_of_a_stage_tells_a_secret(
    context: dict[str, Any], statuses: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATUS_TOKEN", "t0ken-value")
    for result in (Outcome("passed", "a t0ken-value"), Unreachable("a t0ken-value"), KeyError("t0ken-value")):
        with suppress(Exception):
            execute(stage(result), context)
        assert "t0ken" not in str(context["ti"].pushed)
        assert "t0ken" not in str(statuses.posted)
        assert "****" in context["ti"].pushed["outcome"]["detail"]


def test_a_spared_task_is_skipped_with_its_reason(context: dict[str, Any]) -> None:
    with DAG("train_and_serve"):
        Stage(task_id="plan", function=len)
        task = work("train", ["x"], {}, spare=lambda *_, **__: "nothing to do")
    with pytest.raises(AirflowSkipException, match="nothing to do"):
        execute(task, context)


def test_an_interruption_that_was_undone_is_final_and_tells_both(context: dict[str, Any]) -> None:
    context["ti"].max_tries = 2
    undone = Undone("the champion is 1 again")
    undone.__cause__ = AirflowTaskTerminated("ended by Airflow")
    with pytest.raises(AirflowFailException, match=r"^ended by Airflow; the champion is 1 again$"):
        execute(stage(undone), context)
    assert context["ti"].pushed["outcome"]["state"] == "failed"


def test_a_timeout_is_told_in_seconds() -> None:
    assert (
        describe(AirflowTaskTimeout(), timedelta(minutes=5))
        == "took longer than 300 seconds, its limit in slo.yaml"
    )
