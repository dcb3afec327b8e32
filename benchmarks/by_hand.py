"""One loop by hand: the entry points of a loop, called one after the other in one process.

No Airflow, no CI service, no sleeps but the look for the served version. push_to_served.py starts it with the
keys of loop.env and a build's PATH in its environment, and Airflow's Python, whose packages `loop/` needs:

    by_hand.py WORKSPACE REPOSITORY COMMIT OTHER_COMMIT OTHER_IMAGE RUN_ID

The last line is one JSON object: the seconds of each stage.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "gitea_repos" / "airflow_dags"))

from loop import gate, promote, register, serve, tag, verify
from loop.limits import Limits
from loop.process import execute, launcher, read
from loop.receipt import Stage
from loop.run import LOOP, Run
from loop.settings import Settings, task_environment

TARGET = re.compile(r"sh 'make (\w+)'")
CODE = "model_training"


@dataclass
class Chronicle:
    """The stages so far, as the receipt keeps them."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what the block does."""
        started, clock = datetime.now(UTC).isoformat(), time.monotonic()
        yield
        seconds = round(time.monotonic() - clock, 2)
        self.stages.append(Stage(name, "passed", started, seconds, "by hand"))
        sys.stderr.write(f"{name} {seconds:.2f} s\n")


@dataclass(frozen=True)
class Pushed:
    """What is built, and the other repository's newest commit with its image."""

    workspace: Path
    repository: str
    commit: str
    other_commit: str
    other_image: str

    def chosen(self, repository: str, image: str) -> tuple[str, str]:
        """Commit and image of a repository; `image` is what was just built."""
        built = repository == self.repository
        return (self.commit, image) if built else (self.other_commit, self.other_image)


def build(pushed: Pushed, done: Chronicle) -> str:
    """Check out and run every target of the Jenkinsfile but `deliver`; the image."""
    with done.stage("checkout"):
        call(pushed, "git", "fetch", "--quiet", "--no-tags", "origin", pushed.commit)
        call(pushed, "git", "checkout", "--quiet", "--force", "--detach", pushed.commit)
        call(pushed, "git", "clean", "-ffdxq", "-e", ".venv")
    for target in TARGET.findall((pushed.workspace / "Jenkinsfile").read_text()):
        if target != "deliver":
            with done.stage(target):
                call(pushed, "make", target)
    return (pushed.workspace / "build" / "image.ref").read_text().strip()


def call(pushed: Pushed, *command: str) -> None:
    """Run a command in the workspace; its output goes to standard error. Raises CalledProcessError."""
    subprocess.run(command, cwd=pushed.workspace, check=True, stdout=sys.stderr)


def train(run: Run, plan: dict[str, Any], done: Chronicle) -> dict[str, dict[str, Any]]:
    """The two programs in their images; their results by stage."""
    common = {"LOOP_RUN_ID": run.run_id, "DATA_COMMIT": plan["data_commit"]}
    with done.stage("data"):
        data = program("data_preprocessing", common | {"IMAGE": plan["data_image"]})
    with done.stage("train"):
        own = {"IMAGE": plan["code_image"], "CODE_COMMIT": plan["code_commit"]}
        own |= {"DAG_COMMIT": plan["dag_commit"], "DATA_VERSION": data["data_version"]}
        trained = program("model_training", common | own)
    return {"data": data, "train": trained}


def program(module: str, own: dict[str, str]) -> dict[str, Any]:
    """Run a module in its image and give the object that it printed. Raises LoopError."""
    environment = task_environment() | own
    command = [launcher(own["IMAGE"], environment["IMAGE_STORE"]), "python", "-m", module]
    return read(execute(command, environment, quiet)).values


def quiet(_: str) -> None:
    """A line of a program that nobody reads."""


def release(run: Run, plan: dict[str, Any], results: dict[str, dict[str, Any]], done: Chronicle) -> None:
    """From the gate to the verified model. Raises LoopError."""
    data, trained = results["data"], results["train"]
    with done.stage("gate"):
        verdict = gate.gate(run, trained)
    if verdict.state != "passed":
        raise SystemExit(f"The gate says {verdict.state}: {verdict.detail}")
    with done.stage("register"):
        registered = register.register(run, plan, data, trained).values
    with done.stage("tag"):
        tag.tag(run, plan, data, trained, registered)
    with done.stage("promote"):
        promoted = promote.promote(run, plan, data, trained, registered).values
    with done.stage("serve"):
        serve.serve(run, promoted)
    with done.stage("verify"):
        verify.verify(run, promoted, list(done.stages))


def main(workspace: str, repository: str, commit: str, other: str, image: str, run_id: str) -> None:
    """One loop; raises what stops it."""
    pushed, done = Pushed(Path(workspace), repository, commit, other, image), Chronicle()
    built = build(pushed, done)
    code, data = (pushed.chosen(name, built) for name in (CODE, "data_preprocessing"))
    plan = {
        **{"run_id": run_id, "reason": "manual", "build": "", "promote": "auto", "insists": True},
        **{"code_commit": code[0], "code_image": code[1], "data_commit": data[0], "data_image": data[1]},
        **{"data_version": "", "dag_commit": "0" * 40, "pushed": repository},
    }
    run = Run(LOOP, run_id, {"reason": "manual"}, plan["dag_commit"], Settings.from_env(), Limits.read())
    release(run, plan, train(run, plan, done), done)
    sys.stdout.write(json.dumps({stage.name: stage.seconds for stage in done.stages}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
