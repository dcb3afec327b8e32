"""Where a task's program runs. Nothing else reads TASK_RUNTIME."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from dags.stage import Recorded
from loop import container
from loop.engine import check_image
from loop.errors import Failure
from loop.process import Ended, execute, launcher, read
from loop.room import check_room
from loop.run import Outcome, Run
from loop.settings import container_environment, container_limits, task_environment

log = logging.getLogger(__name__)

Spare = Callable[..., str]


class ProgramTask(Recorded):
    """Runs `argv` in the image `env["IMAGE"]`; how is up to the runtime's own class.

    The program gets what every task has and `env`, whose empty values are left out. `spare` is asked first;
    the reason it gives skips the task.
    """

    template_fields = ("env",)

    def __init__(
        self, *, argv: Sequence[str], env: dict[str, str], spare: Spare | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.argv = list(argv)
        self.env = env
        self.spare = spare

    def perform(self, run: Run, results: dict[str, Any]) -> Outcome:
        """Run the program and give the result it printed."""
        if self.spare and (reason := self.spare(run, **results)):
            return Outcome("skipped", reason)
        outcome = read(self.run_program(run, {key: value for key, value in self.env.items() if value}))
        return Outcome(outcome.state, outcome.detail, outcome.values, mlflow_url(run, outcome.values))

    def run_program(self, run: Run, own: dict[str, str]) -> Ended:
        """Run the program with its own variables to its end; raises LoopError."""
        raise NotImplementedError


class ProcessTask(ProgramTask):
    """The program is a process of this machine, with the machine's base environment."""

    def run_program(self, run: Run, own: dict[str, str]) -> Ended:  # noqa: ARG002
        """Run it by the launcher of its image, where the disk has room for what it writes."""
        environment = task_environment() | own
        store = environment.get("IMAGE_STORE", "")
        command = [launcher(environment.get("IMAGE", ""), store), *self.argv]
        check_room(store)
        return execute(command, environment, log.info)


class ContainerTask(ProgramTask):
    """The program is a container of the engine; a try takes over what an earlier one has left running."""

    def run_program(self, run: Run, own: dict[str, str]) -> Ended:
        """Run it in its image by digest."""
        shared, (memory, cpus) = container_environment(), container_limits()
        job = container.Job(
            dag_id=run.dag_id,
            run_id=run.run_id,
            task_id=self.task_id,
            try_number=run.try_number,
            image=check_image(own.get("IMAGE", ""), shared.get("IMAGE_STORE", "")),
            argv=self.argv,
            own=own,
            shared=shared,
            memory=memory,
            cpus=cpus,
        )
        return container.execute(job, log.info)


RUNTIMES = {"docker": ContainerTask, "process": ProcessTask}


def work(task_id: str, argv: Sequence[str], env: dict[str, str], **options: Any) -> Recorded:
    """An operator that runs `argv` in the image `env["IMAGE"]`, in the way TASK_RUNTIME says.

    The values of `env` are templates. Raises Failure, which Airflow shows as an import error, for a runtime
    that does not exist.
    """
    runtime = os.environ.get("TASK_RUNTIME", "process")
    if runtime not in RUNTIMES:
        raise Failure(f"TASK_RUNTIME is {runtime!r}: it must be {' or '.join(sorted(RUNTIMES))}")
    return RUNTIMES[runtime](task_id=task_id, argv=argv, env=env, **options)


def mlflow_url(run: Run, values: dict[str, Any]) -> str:
    """The page of the MLflow run that a task names in its result, for people."""
    mlflow_run = values.get("mlflow_run_id")
    return f"{run.settings.mlflow_web_url}/#/runs/{mlflow_run}" if mlflow_run else ""
