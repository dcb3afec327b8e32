"""`sandbox run` with an old commit whose image retention has removed."""

import subprocess
from types import SimpleNamespace

import pytest

from sandbox import rebuild
from sandbox.endpoints import Address
from sandbox.errors import LoopError

IMAGE = "a" * 64


class Store:
    """A folder of images and a real bare repository; CI builds any but its first commit when asked."""

    def __init__(self, folder, makes, ends="success"):
        self.folder, self.makes, self.ends = folder, makes, ends
        self.bare, self.asked, self.built = folder / "model_training.git", 0, ""
        run("git", "init", "--quiet", "--bare", self.bare)
        run("git", "clone", "--quiet", self.bare, folder / "work")
        run("git", "commit", "--quiet", "--allow-empty", "-m", "x", folder=folder / "work")
        run("git", "push", "--quiet", "origin", "HEAD:main", folder=folder / "work")
        self.commit = run("git", "rev-parse", "HEAD", folder=folder / "work")

    def make(self):
        program = self.folder / "images" / self.makes / "env/bin/python"
        program.parent.mkdir(parents=True)
        program.touch()

    def of(self, repository, commit):
        assert repository == "model_training"
        if commit == self.commit:
            image = {"id": 2, "context": "image", "description": f"env:sha256:{IMAGE}"}
            return commit, [{"id": 1, "context": "ci", "status": "success"}, image]
        branch = run("git", "for-each-ref", f"--points-at={commit}", "--format=%(refname)", folder=self.bare)
        assert branch.startswith(f"refs/heads/rebuild-{self.commit[:12]}-")
        self.built = run("git", "log", "-1", "--format=%T %P%n%B", commit, folder=self.bare)
        self.asked += 1
        status = self.ends if self.asked > 1 else "pending"
        if status == "success":
            self.make()
        row = {"id": 3, "context": "ci", "status": status, "description": "why", "target_url": "u"}
        return commit, [row]

    @property
    def context(self):
        url, address = str(self.folder), f"file://{self.folder / 'images'}"
        endpoints = SimpleNamespace(
            images=Address(address, address), clone_url=lambda repository: f"{url}/{repository}.git"
        )
        return SimpleNamespace(endpoints=endpoints, statuses=self)


def run(*command, folder=None):
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
    argv = [command[0], *identity, *map(str, command[1:])]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def branches(store):
    return run("git", "for-each-ref", "--format=%(refname)", folder=store.bare)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)


def test_a_gone_image_is_built_again_on_a_branch_that_goes(tmp_path):
    store = Store(tmp_path, makes=IMAGE)
    rebuild.bring_images(store.context, {"code_commit": store.commit})
    assert rebuild.is_stored(store.context, f"env:sha256:{IMAGE}")
    assert branches(store) == "refs/heads/main"


def test_a_commit_of_its_own_with_the_same_files_is_built(tmp_path):
    """So a build that fails leaves the old commit's statuses alone, and an equal tree gives its image."""
    store = Store(tmp_path, makes=IMAGE)
    rebuild.bring_images(store.context, {"code_commit": store.commit})
    tree = run("git", "rev-parse", f"{store.commit}^{{tree}}", folder=store.bare)
    heading, *message = store.built.splitlines()
    assert heading == f"{tree} {store.commit}"
    assert f"build {store.commit[:12]} again" in message[0]
    assert message[-1] == "Starts-Run: no"


def test_an_image_that_is_there_starts_no_build(tmp_path):
    store = Store(tmp_path, makes=IMAGE)
    store.make()
    rebuild.bring_images(store.context, {"code_commit": store.commit})
    assert store.asked == 0


def test_a_commit_that_makes_another_image_now_is_refused(tmp_path):
    store = Store(tmp_path, makes="b" * 64)
    with pytest.raises(LoopError, match="makes another one now"):
        rebuild.bring_images(store.context, {"code_commit": store.commit})


def test_a_red_build_is_told_and_leaves_no_branch(tmp_path):
    store = Store(tmp_path, makes=IMAGE, ends="failure")
    with pytest.raises(LoopError, match="its build fails now: why"):
        rebuild.bring_images(store.context, {"code_commit": store.commit})
    assert branches(store) == "refs/heads/main"
