"""No secret where it should not be: looked for plain, base64 and URL-encoded, wherever one can look."""

import base64
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from dotenv import dotenv_values

from sandbox.compose import connect
from sandbox.drivers.images import own_tags
from sandbox.settings import ORGANISATION, SECRETS

CANARY = "canary-secret-Q7x_9"
KEPT = {
    "supervisord.conf",
    "loop.env",
    "ci.env",
    "airflow/passwords.json",
}  # below .sandbox, for their owner alone
ENGINE = "engine"  # its volume is images and containers: those are searched as such
# loop.env
LOOP = {"AIRFLOW_LOOP_PASSWORD", "API_TOKEN", "CI_TOKEN", "MLFLOW_LOOP_PASSWORD", "S3_LOOP_SECRET"}
AIRFLOW = {"MYSQL_AIRFLOW_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_SESSION_SECRET"}
MLFLOW_USERS = {"MLFLOW_ADMIN_PASSWORD", "MLFLOW_LOOP_PASSWORD", "MLFLOW_SERVING_PASSWORD"}
STAND_IN = {"CI_TOKEN", "CI_WEBHOOK_SECRET", "GITEA_ADMIN_PASSWORD"}  # services/ci in Gitea's place
ENVIRONMENT = {  # of a container: the logins of seam 10 that it needs, and no others
    "mysql": {"MYSQL_ADMIN_PASSWORD"},
    "minio": {"MINIO_ROOT_PASSWORD"},
    "gitea": {"GITEA_SECRET_KEY", *STAND_IN},
    "jenkins": {"JENKINS_ADMIN_PASSWORD", "JENKINS_AGENT_KEY", "CI_WEBHOOK_SECRET", "CI_TOKEN"},
    "jenkins-agent": LOOP,
    "mlflow": {"MYSQL_MLFLOW_PASSWORD", "S3_MLFLOW_SECRET", *MLFLOW_USERS},
    "airflow-init": AIRFLOW,
    "airflow-api": AIRFLOW | {"AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_LOOP_PASSWORD"},
    "airflow-scheduler": AIRFLOW | LOOP,
    "airflow-dag-processor": AIRFLOW | LOOP,
    "prediction-api": {"MLFLOW_SERVING_PASSWORD", "MYSQL_SERVING_PASSWORD", "API_TOKEN"},
    "monitor": {"AIRFLOW_LOOP_PASSWORD", "MLFLOW_SERVING_PASSWORD"},
    "mysqld-exporter": {"MYSQL_EXPORTER_PASSWORD"},
    "grafana": {"GRAFANA_ADMIN_PASSWORD", "GRAFANA_SECRET_KEY", "MYSQL_GRAFANA_PASSWORD"},
}
VOLUMES = {  # of a server that must know them
    "jenkins": LOOP,  # the variables of its pipelines, kept so that a build survives a restart
    "gitea": {"CI_WEBHOOK_SECRET"},  # it signs with it
    "minio": {"S3_MLFLOW_SECRET", "S3_LOOP_SECRET"},  # its users
}
PUBLIC = {"jenkins": ["/var/jenkins_home/logs"]}  # folders of such a volume that hold none all the same


def forms(secret: str) -> set[str]:
    """A secret as it may stand in a text: base64 also where it is in the middle of what was encoded."""
    found = {secret, quote(secret, safe="")}
    for before in range(3):
        encoded = base64.b64encode(b" " * before + secret.encode()).decode()
        whole = encoded[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        found |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return found


class Search:
    """Finds the names of secrets in texts, outputs and folders."""

    def __init__(self, secrets: dict[str, str], patterns: Path) -> None:
        self.names = {form: name for name, secret in secrets.items() for form in forms(secret)}
        self.patterns = patterns
        patterns.write_text("\n".join(self.names) + "\n")

    def text(self, text: str) -> set[str]:
        return self._grep(text.encode())

    def output(self, command: Sequence[str | Path]) -> set[str]:
        """What a command prints; a long output is never held."""
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            found = self._grep(None, process.stdout)
        assert process.returncode == 0, command[:4]
        return found

    def files(self, folder: Path) -> set[Path]:
        command = ["grep", "-raFlf", str(self.patterns), "--exclude-dir=environments", "--devices=skip", "."]
        listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return {Path(line) for line in listed.stdout.splitlines()}

    def _grep(self, text, stream=None) -> set[str]:
        command = ["grep", "-aFof", str(self.patterns)]
        given = {"stdin": stream} if stream else {"input": text}
        found = subprocess.run(command, **given, capture_output=True, check=False)
        assert found.returncode in (0, 1), found.stderr
        return {self.names[line] for line in found.stdout.decode().splitlines()}


@pytest.fixture(scope="module")
def search(sandbox, tmp_path_factory):
    values = dotenv_values(sandbox.folder / ".env", interpolate=False)
    names = (*SECRETS, "_agent_key", "_fernet_key")
    secrets = {name: value for name, value in values.items() if value and name.lower().endswith(names)}
    secrets["API_TOKEN"] = values["API_TOKENS"].partition(":")[2]
    assert len(secrets) >= 6
    return Search(secrets | {"CANARY": CANARY}, tmp_path_factory.mktemp("search") / "patterns")


@pytest.mark.parametrize(
    "leak",
    [
        f"password={CANARY}&",
        f"http://loop:{quote(CANARY)}@gitea:3000/",
        *(base64.b64encode(f"{user}:{CANARY}\n".encode()).decode() for user in ("a", "bc", "loop")),
        base64.urlsafe_b64encode(f"sandbox:{CANARY}".encode()).decode(),
    ],
)
def test_the_search_finds_every_form(search, leak):
    assert search.text(f"before\n{leak} after") == {"CANARY"}


@pytest.fixture(scope="module")
def mirrors(sandbox, tmp_path_factory):
    """Bare copies of the repositories, all branches and tags."""
    folder = tmp_path_factory.mktemp("mirrors")
    for name, repository in sandbox.json("status")["repositories"].items():
        command = ["git", "clone", "--quiet", "--mirror", repository["clone_url"], str(folder / name)]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return sorted(folder.iterdir())


def test_repositories_hold_none(search, mirrors):
    for mirror in mirrors:
        everything = ["git", "-C", mirror, "cat-file", "--batch", "--batch-all-objects", "--buffer"]
        assert search.output(everything) == set(), mirror.name


def test_statuses_say_none(sandbox, search, mirrors):
    server = sandbox.statuses_url()
    for mirror in mirrors:
        listed = ["git", "-C", str(mirror), "rev-list", "--branches"]
        for commit in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split():
            url = f"{server}/api/v1/repos/{ORGANISATION}/{mirror.name}/statuses/{commit}"
            assert search.text(requests.get(url, params={"limit": 50}, timeout=20).text) == set(), url


def test_build_logs_say_none(sandbox, search, mirrors):
    for mirror in mirrors:
        job = f"http://127.0.0.1:{sandbox.setting('CI_PORT')}/job/{mirror.name}"
        builds = requests.get(f"{job}/api/json", timeout=20).json()["builds"]
        assert builds
        for build in builds:
            log = requests.get(f"{job}/{build['number']}/consoleText", timeout=20)
            assert log.ok
            assert search.text(log.text) == set(), log.url


def test_only_files_of_their_owner_hold_them(sandbox, search):
    """The whole state of the embedded driver: logs, databases, models, images."""
    folder = sandbox.folder / ".sandbox"
    if not folder.exists():
        pytest.skip("the docker driver has no .sandbox; its containers and volumes are searched instead")
    found = search.files(folder)
    assert {str(path) for path in found} == KEPT
    assert {(folder / path).stat().st_mode & 0o077 for path in found} == {0}


@pytest.mark.docker
def test_containers_say_none(machine, search):
    for container in machine.containers():
        assert search.output(["docker", "logs", container.id]) == set(), container.name


@pytest.mark.docker
def test_containers_are_given_what_they_need_alone(machine, search):
    for container in machine.containers():
        service = container.labels["com.docker.compose.service"]
        environment = "\n".join(container.attrs["Config"]["Env"])
        rest = container.attrs | {"Config": container.attrs["Config"] | {"Env": []}}
        assert search.text(environment) <= ENVIRONMENT.get(service, set()), service
        assert search.text(json.dumps(rest)) == set(), service


@pytest.mark.docker
def test_volumes_hold_none(machine, search):
    """Databases, buckets, logs of tasks, Jenkins' home."""

    def held(container, folder):
        return search.output(["docker", "cp", f"{container.name}:{folder}", "-"])

    for container in machine.containers():
        service = container.labels["com.docker.compose.service"]
        volumes = [each["Destination"] for each in container.attrs["Mounts"] if each["Type"] == "volume"]
        for folder in volumes if service != ENGINE else ():
            assert held(container, folder) <= VOLUMES.get(service, set()), (service, folder)
        for folder in PUBLIC.get(service, ()):
            assert held(container, folder) == set(), (service, folder)


@pytest.mark.docker
def test_images_hold_none(sandbox, machine, search, mlflow):
    """Ours, and the newest that was pushed: layers and history."""
    own = own_tags(connect(), machine.project)
    assert own
    for image in own:
        assert search.output(["docker", "history", "--no-trunc", image]) == set(), image
    assert search.output(["docker", "save", *own]) == set()  # a layer that several share is read once
    version = mlflow("model-versions/get", name="iris", version=sandbox.json("status")["model"]["version"])
    pushed = next(tag["value"] for tag in version["model_version"]["tags"] if tag["key"] == "image")
    inside = ["docker", "exec", machine.containers("engine")[0].id, "docker"]
    assert search.output([*inside, "history", "--no-trunc", pushed]) == set()
    assert search.output([*inside, "save", pushed]) == set()
