"""Images in a registry, with a real engine and a real registry; what needs them skips where they are not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from workshop import SCRIPTS, Repository, wait_for

from ci.errors import ImageError
from ci.images import open_store
from ci.registry import Registry
from ci.registry_store import RegistryStore
from ci.settings import ImageSettings

NAME = "model_training"
PROGRAMS = ("sh", "cat", "env", "id", "sleep", "touch")
DOCKERFILE = "ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\nUSER 10001\nCOPY greeting /greeting\n"
Ci = Callable[..., subprocess.CompletedProcess[str]]


def docker(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, **options)


@pytest.fixture(scope="session")
def engine() -> None:
    try:
        done = docker("info", "--format", "{{.ServerVersion}}")
    except OSError as error:
        pytest.skip(f"the docker client is not here: {error}")
    if done.returncode:
        pytest.skip(f"no Docker Engine answers: {done.stderr.strip()[-200:]}")
    address = os.environ.get("DOCKER_HOST", "")
    if not address.startswith(("unix://", "/")) and address:
        pytest.skip(
            f"the engine at {address} (DOCKER_HOST) cannot reach a registry on this machine's 127.0.0.1"
        )


@pytest.fixture(scope="session")
def base(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001
    """A tiny base made of this machine's own programs: there is no registry to pull one from."""
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    files = {f"bin/{name}": shutil.which(name) or name for name in PROGRAMS}
    for path in list(files.values()):
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        files |= {name.lstrip("/"): name for name in re.findall(r"(/\S+) \(0x", said)}
    with tarfile.open(archive, "w", dereference=True) as tar:
        for name, path in files.items():
            tar.add(path, name)
        tar.addfile(tarfile.TarInfo("etc/passwd"))
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    name = f"ci-test-base:{uuid.uuid4().hex[:12]}"
    done = docker("import", str(archive), name)
    assert done.returncode == 0, done.stderr
    yield name
    docker("rmi", "--force", name)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry of our own on 127.0.0.1, where the engine speaks plain HTTP."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        pytest.skip("there is no registry: install the Debian package docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: {address}}}\n"
    config += f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
    (folder / "config.yml").write_text(config)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        wait_for(lambda: answers(f"http://{address}/v2/"))
        yield address
    finally:
        process.terminate()
        process.wait(10)
    left = docker("images", "--quiet", "--filter", f"reference={address}/*").stdout.split()
    docker("rmi", "--force", *set(left)) if left else None


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SSL_")}
    return kept | {"JOB_NAME": NAME, "TMPDIR": str(tmp_path), "IMAGE_STORE": "127.0.0.1:1"}


@pytest.fixture
def run(repository: Repository, environment: dict[str, str]) -> Ci:
    def run(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPTS / "ci", *arguments],
            cwd=repository.work,
            env=environment | env,
            input=stdin,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def ci(run: Ci, environment: dict[str, str], base: str, registry: str) -> Ci:
    environment |= {"IMAGE_STORE": registry, "PYTHON_IMAGE": base}
    return run


@pytest.fixture
def project(repository: Repository) -> Repository:
    # Its own text, or the tree of an earlier test would be in the registry already.
    files = {"Dockerfile": DOCKERFILE, ".gitignore": "build/\n", "greeting": uuid.uuid4().hex}
    repository.commit(files)
    return repository


def build(ci: Ci, repository: Repository) -> str:
    done = ci("image")
    assert done.returncode == 0, done.stdout + done.stderr
    ref = (repository.work / "build" / "image.ref").read_text().strip()
    assert done.stdout.splitlines()[-1] == ref
    return ref


def test_an_image_is_pushed_and_named_by_digest(ci: Ci, project: Repository, registry: str) -> None:
    ref = build(ci, project)
    assert re.fullmatch(rf"{registry}/{NAME}@sha256:[0-9a-f]{{64}}", ref)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=project.work, text=True).strip()
    assert Registry(registry).digest(NAME, commit) == ref.partition("@")[2]
    for image in docker("images", "--quiet", "--filter", f"reference={registry}/*").stdout.split():
        docker("rmi", "--force", image)
    assert ci("run", "--", "cat", "/greeting").stdout == (project.work / "greeting").read_text()


def test_an_equal_tree_is_an_equal_image(ci: Ci, project: Repository, registry: str) -> None:
    first = build(ci, project)
    project.commit(message="The same tree")
    assert "is in the registry" in ci("image").stdout
    assert build(ci, project) == first
    tags = requests.get(f"http://{registry}/v2/{NAME}/tags/list", timeout=5).json()["tags"]
    commits = subprocess.check_output(["git", "rev-list", "HEAD"], cwd=project.work, text=True).split()
    assert set(commits) <= set(tags)
    project.commit({"greeting": "other"})
    assert build(ci, project) != first


def test_another_base_is_another_image(ci: Ci, project: Repository, base: str) -> None:
    first = build(ci, project)
    project.commit({"Dockerfile": DOCKERFILE + "ENV OTHER=1\n"})
    build(ci, project)
    project.commit({"Dockerfile": DOCKERFILE})
    assert build(ci, project) == first
    again = f"{base}-again"
    docker("tag", base, again)
    try:
        assert "is in the registry" not in ci("image", PYTHON_IMAGE=again).stdout
    finally:
        docker("rmi", again)


@pytest.fixture
def push_base(base: str, registry: str) -> Callable[[str], str]:
    """Puts a base with ENV BASE=<text> into the registry, always under one tag; that tag."""

    def push(text: str) -> str:
        name = f"{registry}/base/python:sandbox"
        done = docker("build", "--tag", name, "-", input=f"FROM {base}\nENV BASE={text}\n")
        assert done.returncode == 0, done.stderr
        assert docker("push", name).returncode == 0
        docker("rmi", name)
        return name

    return push


@pytest.mark.usefixtures("project")
def test_a_base_pushed_anew_under_its_tag_is_another_image(ci: Ci, push_base: Callable[[str], str]) -> None:
    for text in ("one", "two"):
        name = push_base(text)
        done = ci("image", PYTHON_IMAGE=name)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is in the registry" not in done.stdout
        assert f"BASE={text}" in ci("run", "--", "env", PYTHON_IMAGE=name).stdout.splitlines()
    assert "is in the registry" in ci("image", PYTHON_IMAGE=name).stdout
    push_base("one")
    assert "is in the registry" in ci("image", PYTHON_IMAGE=name).stdout


@pytest.mark.usefixtures("project")
def test_a_base_that_is_not_in_the_registry_is_one_clear_message(ci: Ci, registry: str) -> None:
    name = f"{registry}/base/nothing:sandbox"
    done = ci("image", PYTHON_IMAGE=name)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"The base {name} (PYTHON_IMAGE) is not in the registry; push it there" in done.stderr


def test_streams_and_the_exit_code_pass_through(ci: Ci, project: Repository) -> None:
    build(ci, project)
    done = ci("run", "--", "sh", "-c", "cat; echo err >&2; exit 7", stdin="given")
    assert (done.stdout, done.stderr.splitlines()[-1], done.returncode) == ("given", "err", 7)
    assert ci("run", "--", "no-such-program").returncode == 127


def test_a_command_gets_the_builds_variables_and_not_the_machines(
    ci: Ci, project: Repository, tmp_path: Path
) -> None:
    build(ci, project)
    given = {"DATA_URL": "s3://data here", "BUILD_URL": "http://localhost/1", "EMPTY": ""}
    machine = {
        "DOCKER_CONFIG": "/x",
        "PIP_CERT": "/x",
        "UV_CACHE_DIR": "/x",
        "SSH_CONNECTION": "1",
        "USER": "x",
        "PATH": f"{os.environ['PATH']}:/of-the-machine",
        "HOME": str(tmp_path),
    }
    lines = ci("run", "--", "env", **given, **machine).stdout.splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert {key: found.get(key) for key in given} == given
    assert [key for key, value in machine.items() if found.get(key) == value] == []
    assert "/of-the-machine" not in found["PATH"]


def test_a_command_is_confined_as_a_task(ci: Ci, project: Repository) -> None:
    build(ci, project)
    look = "while read a b; do echo $a $b; done < /proc/self/status; id"
    said = ci("run", "--", "sh", "-c", look, TASK_MEMORY="200m", TASK_CPUS="0.5").stdout
    assert "CapBnd: 0000000000000000" in said
    assert "NoNewPrivs: 1" in said
    assert "uid=10001" in said
    limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>&-"
    assert str(200 * 1024**2) in ci("run", "--", "sh", "-c", limit, TASK_MEMORY="200m").stdout.split()


def test_a_command_has_the_limits_of_a_task(
    ci: Ci, project: Repository, environment: dict[str, str], tmp_path: Path
) -> None:
    ref = build(ci, project)
    said = tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [SCRIPTS / "ci", "run", "--", "sh", "-c", "echo on; sleep 300"],
            cwd=project.work,
            env=environment | {"TASK_MEMORY": "200m", "TASK_CPUS": "0.5"},
            stdout=output,
        )
    try:
        wait_for(said.read_text)
        container = docker("ps", "--quiet", "--filter", f"ancestor={ref}").stdout.strip()
        host = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", container).stdout)
    finally:
        process.terminate()
        process.wait(20)
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (200 * 1024**2, 200 * 1024**2, 5 * 10**8)
    assert (host["PidsLimit"], host["CapDrop"], host["NetworkMode"]) == (512, ["ALL"], "host")
    assert (host["SecurityOpt"], host["Init"]) == (["no-new-privileges"], True)


def test_a_signal_ends_the_container(
    ci: Ci, project: Repository, environment: dict[str, str], tmp_path: Path
) -> None:
    ref = build(ci, project)
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [SCRIPTS / "ci", "run", "--", "sh", "-c", "echo on; sleep 300"],
            cwd=project.work,
            env=environment,
            stdout=said,
        )
    wait_for((tmp_path / "said").read_text)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    wait_for(lambda: docker("ps", "--quiet", "--filter", f"ancestor={ref}").stdout == "")


def test_a_build_secret_and_proxies_reach_the_build(ci: Ci, repository: Repository, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("the bundle")
    step = (
        "USER 0\n"
        "RUN --mount=type=secret,id=ca sh -c 'cat /run/secrets/ca; echo; echo via $HTTP_PROXY' > /tmp/seen\n"
    )
    repository.commit({"Dockerfile": DOCKERFILE + step, "greeting": uuid.uuid4().hex})
    done = ci("image", SSL_CERT_FILE=str(bundle), HTTP_PROXY="http://proxy.invalid:1", NO_PROXY="127.0.0.1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ci("run", "--", "cat", "/tmp/seen").stdout == "the bundle\nvia http://proxy.invalid:1\n"
    missing = ci("image", SSL_CERT_FILE="/no/bundle")
    assert missing.returncode == 0  # the tree is there: nothing is built
    repository.commit({"greeting": uuid.uuid4().hex})
    assert "SSL_CERT_FILE names /no/bundle" in ci("image", SSL_CERT_FILE="/no/bundle").stderr


def test_a_failed_build_says_its_last_lines(ci: Ci, repository: Repository) -> None:
    step = "RUN sh -c 'echo this is why >&2; exit 3'\n"
    repository.commit({"Dockerfile": DOCKERFILE + step, "greeting": uuid.uuid4().hex})
    done = ci("image")
    assert done.returncode == 1
    assert "docker build failed" in done.stderr
    assert "this is why" in done.stderr
    assert not (repository.work / "build" / "image.ref").exists()


def test_a_tree_without_dockerfile_says_so(ci: Ci, repository: Repository) -> None:
    repository.commit({"a": uuid.uuid4().hex})
    assert "no Dockerfile" in ci("image").stderr


def test_an_engine_that_is_away_is_one_clear_message(ci: Ci, project: Repository) -> None:
    build(ci, project)
    project.commit({"greeting": uuid.uuid4().hex})
    for command in (("image",), ("run", "--", "env")):
        done = ci(*command, DOCKER_HOST="tcp://127.0.0.1:1")
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert "No Docker Engine answers at tcp://127.0.0.1:1 (DOCKER_HOST)" in done.stderr


@pytest.mark.usefixtures("project")
def test_a_registry_that_is_away_is_one_clear_message(run: Ci) -> None:
    done = run("image")
    assert done.returncode == 1
    assert "The registry 127.0.0.1:1 (IMAGE_STORE) does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_images_of_this_registry_are_run(run: Ci, project: Repository) -> None:
    (project.work / "build").mkdir()
    for ref in ("env:sha256:" + "0" * 64, f"other:1/{NAME}@sha256:{'0' * 64}", "127.0.0.1:1/x:latest"):
        (project.work / "build" / "image.ref").write_text(ref)
        done = run("run", "--", "true")
        assert (done.returncode, "run `ci image`" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["Model", "a b", "-x", "a/../b"])
def test_a_name_that_no_image_may_have_is_refused(project: Repository, name: str) -> None:
    store = open_store(ImageSettings.from_env({"IMAGE_STORE": "127.0.0.1:1", "JOB_NAME": name}), print)
    assert isinstance(store, RegistryStore)
    with pytest.raises(ImageError, match="no name for an image"):
        store.build(project.work, name)
