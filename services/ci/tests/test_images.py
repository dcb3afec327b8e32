"""Images are real: environments by uv from a lock with hashes, trees by git, commands in them."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workshop import SCRIPTS, Repository, wait_for

from ci.images import unpack

NAME = "model_training"


@pytest.fixture(scope="session")
def lock() -> str:
    """A tiny lock with the hashes that this project's own lock has."""
    text = (Path(__file__).parents[1] / "requirements-dev.lock").read_text()
    lines = text[text.index("iniconfig==") :].splitlines()
    end = next(n for n, line in enumerate(lines) if not line.endswith("\\"))
    return "\n".join(lines[: end + 1]) + "\n"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


Ci = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ci(repository: Repository, store: Path, tmp_path: Path) -> Ci:
    (tmp_path / "tmp").mkdir()

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        given = env.pop("stdin", "")
        values = (
            os.environ
            | {"IMAGE_STORE": store.as_uri(), "JOB_NAME": NAME, "TMPDIR": str(tmp_path / "tmp")}
            | env
        )
        return subprocess.run(
            [SCRIPTS / "ci", *arguments],
            cwd=repository.work,
            env=values,
            input=given,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    former = os.umask(0o022)
    yield os.umask
    os.umask(former)


def build(ci: Ci, repository: Repository) -> str:
    done = ci("image")
    assert done.returncode == 0, done.stderr
    ref = (repository.work / "build" / "image.ref").read_text().strip()
    assert done.stdout.splitlines()[-1] == ref
    return ref


@pytest.fixture
def project(repository: Repository, lock: str) -> Repository:
    repository.commit(
        {"requirements.lock": lock, "pkg/__init__.py": "", "pkg/__main__.py": "print('in the tree')"}
    )
    return repository


def test_an_image_is_what_the_architecture_says(ci: Ci, project: Repository, store: Path) -> None:
    ref = build(ci, project)
    assert ref.startswith("env:sha256:")
    image = store / ref.removeprefix("env:sha256:")
    assert sorted(path.name for path in image.iterdir()) == ["env", "image.json", "run", "tree"]
    assert sorted(path.name for path in (image / "tree").iterdir()) == ["pkg", "requirements.lock"]
    facts = json.loads((image / "image.json").read_text())
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=project.work, text=True).strip()
    assert (facts["repository"], facts["commit"]) == (NAME, head)
    assert set(facts) == {"repository", "commit", "environment", "python"}
    assert (image / "env").resolve().name == facts["environment"]


def test_every_user_may_read_a_tree_whatever_the_umask(
    repository: Repository, tmp_path: Path, umask: Callable[[int], None]
) -> None:
    repository.commit({"pkg/sub/a.py": "", "run.sh": ""})
    (repository.work / "run.sh").chmod(0o755)
    repository.commit()
    for mask in (0o077, 0o002):
        umask(mask)
        tree = tmp_path / f"tree-{mask}"
        unpack(repository.work, tree)
        paths = [tree, *sorted(tree.rglob("*"))]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
        folders = {tree.name: 0o755, "pkg": 0o755, "sub": 0o755}
        assert modes == folders | {"a.py": 0o644, "run.sh": 0o755}


def test_an_equal_commit_gives_an_equal_image(ci: Ci, project: Repository, store: Path) -> None:
    first = build(ci, project)
    before = sorted(store.iterdir())
    (project.work / "build" / "image.ref").unlink()
    assert build(ci, project) == first
    assert sorted(store.iterdir()) == before
    project.commit({"more": "x"})
    assert build(ci, project) != first


def test_what_is_not_committed_is_not_in_the_image(ci: Ci, project: Repository) -> None:
    (project.work / "pkg" / "__main__.py").write_text("print('changed')")
    assert "not committed" in ci("image").stdout
    assert ci("run", "--", "python", "-m", "pkg").stdout == "in the tree\n"


def test_a_command_runs_in_a_fresh_tree_with_the_images_programs(
    ci: Ci, project: Repository, tmp_path: Path
) -> None:
    build(ci, project)
    code = "import iniconfig, os; open('x', 'w').close(); print(sorted(os.listdir()), os.environ['GIVEN'])"
    done = ci("run", "--", "python", "-c", code, GIVEN="a b")
    assert done.stdout == "['pkg', 'requirements.lock', 'x'] a b\n"
    assert ci("run", "--", "ls").stdout == "pkg\nrequirements.lock\n"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_input_output_and_exit_code_pass_through(ci: Ci, project: Repository, tmp_path: Path) -> None:
    build(ci, project)
    done = ci("run", "--", "sh", "-c", "cat; echo err >&2; exit 7", stdin="given")
    assert (done.stdout, done.stderr, done.returncode) == ("given", "err\n", 7)
    assert ci("run", "--", "sh", "-c", "kill -9 $$").returncode == 137
    missing = ci("run", "--", "no-such-program")
    assert (missing.returncode, "Traceback" in missing.stderr) == (127, False)
    assert ci("run", "--").returncode == 2
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command_and_the_scratch_folder_goes(
    ci: Ci, project: Repository, store: Path, tmp_path: Path, number: int
) -> None:
    ref = build(ci, project)
    launcher = store / ref.removeprefix("env:sha256:") / "run"
    script = f"trap 'echo caught; exit 5' TERM INT; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    env = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen([launcher, "sh", "-c", script], env=env, stdout=subprocess.PIPE, text=True)
    wait_for((tmp_path / "ready").exists)
    process.send_signal(number)
    assert process.communicate(timeout=10)[0] == "caught\n"
    assert process.returncode == 5
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_half_built_environment_is_built_again(ci: Ci, project: Repository, store: Path) -> None:
    ref = build(ci, project)
    env = (store / ref.removeprefix("env:sha256:") / "env").resolve()
    (env / ".complete").unlink()
    (env / "bin" / "python").unlink()
    assert build(ci, project) == ref
    assert ci("run", "--", "python", "-c", "import iniconfig").returncode == 0


def test_two_builders_do_not_collide(project: Repository, tmp_path: Path) -> None:
    store = tmp_path / "another"
    env = os.environ | {"IMAGE_STORE": store.as_uri()}
    command = [SCRIPTS / "ci", "image"]
    pair = [subprocess.Popen(command, cwd=project.work, env=env, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate(timeout=30)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert outputs[0] == outputs[1] != b""
    assert (
        len([path for path in store.iterdir() if not path.name.startswith(".")]) == 2
    )  # image, environments


@pytest.mark.parametrize(
    ("files", "env", "reason"),
    [
        ({}, {"IMAGE_STORE": "registry://x"}, "it must be file:// and a folder, or a registry as host:port"),
        ({}, {"IMAGE_STORE": ""}, "IMAGE_STORE is not set"),
        ({"requirements.lock": "iniconfig==2.3.1\n"}, {}, "uv pip failed"),
        ({"requirements.lock": "iniconfig==2.3.1 --hash=sha256:" + "0" * 64 + "\n"}, {}, "uv pip failed"),
        ({}, {"PATH": "/nowhere"}, "git"),
    ],
)
def test_what_cannot_be_built_is_one_clear_message(
    ci: Ci, project: Repository, files: dict[str, str], env: dict[str, str], reason: str
) -> None:
    if files:
        project.commit(files)
    done = ci("image", **env)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tree_without_lock_says_so(ci: Ci, repository: Repository) -> None:
    repository.commit({"a": "b"})
    assert "no requirements.lock" in ci("image").stderr


def test_running_without_an_image_says_what_to_do(ci: Ci, project: Repository) -> None:
    assert "run `ci image` first" in ci("run", "--", "true").stderr
    (project.work / "build").mkdir()
    for ref in ("env:sha256:" + "0" * 64, "env:sha256:../../x", "registry:5000/x@sha256:0"):
        (project.work / "build" / "image.ref").write_text(ref)
        done = ci("run", "--", "true")
        assert (done.returncode, "run `ci image`" in done.stderr) == (1, True)
