"""What only the docker driver can show: images by digest, one container a training, services killed."""

import re
import subprocess
import threading
from contextlib import suppress

import pytest
from docker.errors import APIError
from helpers import EVERY_FAULT, FLOWERS, SPECIES, predict, states

from sandbox.wait import pause, wait_until

pytestmark = pytest.mark.docker
TRAINING = "label=mlops-sandbox.task=train"
KILLED = ["mysql", "airflow-scheduler", "engine", "mlflow", "minio", "registry"]


class Watch:
    """The containers of trainings that the inner engine has at any moment, by a look each half second."""

    def __init__(self, machine):
        self.machine = machine
        self.seen = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _look(self):
        form = '{{.Id}} {{.Config.Image}} {{index .Config.Labels "mlops-sandbox.run"}}'
        look = f"docker ps --all --quiet --filter {TRAINING} | xargs -r docker inspect --format '{form}'"
        while not self.over.is_set():
            with suppress(APIError):  # a killed engine takes no command until it runs again
                code, printed = self.machine.inside("engine", ["sh", "-c", look])
                for name, *training in map(str.split, printed.splitlines() if code == 0 else ()):
                    self.seen[name] = tuple(training)
            pause(0.5)

    def of(self, run):
        """The images of the containers that trained for a run."""
        return [image for image, trained_for in self.seen.values() if trained_for == run]


def service_images(machine):
    return {c.name: (c.id, c.attrs["State"]["StartedAt"], c.image.id) for c in machine.containers()}


def test_a_new_dependency_makes_a_new_image_and_rebuilds_no_service(sandbox, machine, clone, mlflow):
    services = service_images(machine)
    work = clone("model_training")
    work.edit("pyproject.toml", "dependencies = [", 'dependencies = [\n    "tabulate==0.9.0",')
    subprocess.run(["make", "lock"], cwd=work.folder, env=sandbox.shell(), check=True, capture_output=True)
    with Watch(machine) as watch:
        commit = work.push("Add a dependency")
        receipt = sandbox.trace(commit)
    assert receipt["state"] == "passed", receipt
    version = mlflow("model-versions/get", name="iris", version=sandbox.json("status")["model"]["version"])
    tags = {tag["key"]: tag["value"] for tag in version["model_version"]["tags"]}
    assert re.fullmatch(machine.image, tags["image"])
    assert watch.of(receipt["run_id"]) == [tags["image"]]
    assert machine.digest(sandbox.folder, "model_training", commit) == tags["image"].split("@")[1]
    assert service_images(machine) == services
    code, printed = machine.inside(
        "engine", ["docker", "run", "--rm", "--pull=never", tags["image"], "python", "-c", "import tabulate"]
    )
    assert code == 0, printed


@pytest.mark.parametrize("service", KILLED if EVERY_FAULT else KILLED[:2])
def test_a_service_killed_while_the_model_trains_costs_nothing_but_time(
    sandbox, machine, clone, mlflow, service
):
    before = sandbox.json("status")["model"]
    work = clone("model_training")
    (work.folder / "NOTES.md").write_text(f"{service} is killed while this trains.\n")
    with Watch(machine) as watch:
        commit = work.push(f"Kill {service}")
        training = wait_until(
            lambda: watch.of(f"push-model_training-{commit[:12]}"), what="the training", seconds=300
        )
        machine.control(sandbox.folder, "kill", service)
        receipt = sandbox.trace(commit)
    assert receipt["state"] == "passed", receipt
    if service != "engine":  # whose containers die with it
        assert watch.of(receipt["run_id"]) == training, "one training container a run"
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}
    stored = mlflow("model-versions/get", name="iris", version=before["version"])["model_version"]
    assert stored["status"] == "READY"
    wait_until(
        lambda: all(s["healthy"] for s in sandbox.json("status")["services"]), what="all healthy", seconds=120
    )
    assert states(receipt)["verify"] == "passed"
