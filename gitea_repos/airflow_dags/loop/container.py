"""A task's program as a container of the engine: its limits, its log, its result and a certain end.

A container belongs to a run and a task, not to a try. When a try is lost, by the kill of its scheduler, its
container goes on, and the next try takes it over: nothing is trained twice in one run. The try that owns a
container is in its name, for a name can change; the labels say what it was made for.
"""

import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loop.engine import connected, fetch_image
from loop.errors import Failure, LoopError
from loop.output import Say, follow, left_by
from loop.process import Ended, is_result

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

log = logging.getLogger(__name__)

LABEL = "mlops-sandbox"
FORBIDDEN = re.compile(r"[^a-zA-Z0-9_.-]")  # in a container's name
MOST_PROCESSES = 512
# A kind of log that a later try can read from its beginning.
LOG = {"type": "json-file", "config": {"max-size": "20m", "max-file": "2"}}
GRACE = 3  # seconds between asking and forcing; Airflow itself forces after five


@dataclass(frozen=True)
class Job:
    """One try of a task's program: `own` are its own variables, `shared` those that every task has.

    `memory` is bytes or has a suffix (`2g`), `cpus` a number of processors.
    """

    dag_id: str
    run_id: str
    task_id: str
    try_number: int
    image: str
    argv: list[str]
    own: dict[str, str]
    shared: dict[str, str]
    memory: str
    cpus: float

    @property
    def name(self) -> str:
        """The container's name while this try owns it."""
        return FORBIDDEN.sub("_", f"{self.dag_id}.{self.run_id}.{self.task_id}.{self.try_number}")

    def is_done_by(self, container: "Container") -> bool:
        """Whether a container of the task does this very job: it still runs, or has left a result."""
        config, state = container.attrs["Config"], container.attrs["State"]
        same = (
            container.labels.get(f"{LABEL}.run") == self.run_id
            and (config["Image"], config["Cmd"]) == (self.image, self.argv)
            and {f"{key}={value}" for key, value in self.own.items()} <= set(config["Env"] or [])
        )
        if not same or state["Status"] != "exited":
            return same and state["Status"] == "running"
        return is_result(left_by(container))

    def minds(self, container: "Container") -> bool:
        """Whether a container is this task's, or of another run of the DAG and so nobody's any more."""
        run, task = container.labels.get(f"{LABEL}.run"), container.labels.get(f"{LABEL}.task")
        of_dag = container.name.startswith(FORBIDDEN.sub("_", f"{self.dag_id}."))
        return of_dag and (run != self.run_id or task == self.task_id)


def execute(job: Job, say: Say) -> Ended:
    """Run a program in a container to its end, saying each line of its output at once.

    Raises Unreachable when engine or registry are away: the container then goes on without this try. Any
    other interruption, Airflow's kill and timeout above all, ends the container.
    """
    with connected() as client:
        try:
            container = take_over(client, job) or create(client, job)
            if container.status == "created":
                container.start()
            ended = follow(container, say)
            short = _short_of_memory(container, ended)
        except Exception:
            raise  # the engine is away, or the loop is wrong: the program goes on for the next try
        except BaseException:
            discard(job.name)  # by name: it may have come before it is known here
            raise
        discard(job.name)
    if short:
        raise Failure(f"the task needed more memory than TASK_MEMORY allows, {job.memory}: raise it")
    return ended


def take_over(client: "DockerClient", job: Job) -> "Container | None":
    """The container in which an earlier try does this job, now this try's; what else is left over goes.

    That is: all others of this task, and those of any task of another run. One run of a DAG runs at a time,
    so that nobody waits for them, nor would end them. Another task of this run is left alone.
    """
    found, ours = None, {"label": f"{LABEL}.run"}
    for other in client.containers.list(all=True, filters=ours, ignore_removed=True):
        if not job.minds(other):
            continue
        if not found and job.is_done_by(other):
            found = other
        else:
            log.info("Removing %s, %s: it is of no use to this try", other.name, other.status)
            other.remove(v=True, force=True)
    if found and found.name != job.name:
        log.info("Taking over %s, %s: this try was not the first", found.name, found.status)
        found.rename(job.name)
    return found


def create(client: "DockerClient", job: Job) -> "Container":
    """A new container for the job, not started; raises LoopError when its image cannot be had."""
    fetch_image(client, job.image)
    return client.containers.create(
        job.image,
        job.argv,
        name=job.name,
        environment=job.shared | job.own,
        labels={
            f"{LABEL}.run": job.run_id,
            f"{LABEL}.task": job.task_id,
            f"{LABEL}.try": str(job.try_number),
        },
        network_mode="host",
        mem_limit=job.memory,
        memswap_limit=job.memory,  # both together: no swap
        nano_cpus=int(job.cpus * 1e9),
        pids_limit=MOST_PROCESSES,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        log_config=LOG,
    )


def discard(name: str) -> None:
    """End and remove the container of this name, if there is one; an engine that is away is no error.

    The engine looks the name up when it is about to stop, so that what another try has taken over by then is
    not found. What remains: a try that takes over within GRACE, while the program is already ending, finds
    it crashed and is tried again; and what an engine that is away keeps, the next try or run removes.
    """
    with suppress(LoopError), connected() as client:
        client.api.stop(name, timeout=GRACE)
        client.api.remove_container(name, v=True, force=True)


def _short_of_memory(container: "Container", ended: Ended) -> bool:
    container.reload()
    return ended.status not in (0, 1) and container.attrs["State"].get("OOMKilled", False)
