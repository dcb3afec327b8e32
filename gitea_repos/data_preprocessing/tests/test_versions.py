import re

import pytest
from samples import TESTS

from data_preprocessing import git
from data_preprocessing.errors import Rejected, Unavailable
from data_preprocessing.params import load_params
from data_preprocessing.versions import (
    find_previous,
    name_version,
    publish_version,
    read_version_tag,
    write_message,
)

VERSION = "0123456789ab"


@pytest.fixture
def origin(tmp_path):
    """A bare repository with one commit on main."""
    bare, seed = tmp_path / "origin.git", tmp_path / "seed"
    git.run_git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    git.clone(bare.as_uri(), seed)
    git.run_git(seed, "commit", "--quiet", "--allow-empty", "--message", "start")
    git.run_git(seed, "push", "--quiet", "origin", "HEAD:main")
    return bare


@pytest.fixture
def commit(origin):
    return git.run_git(origin, "rev-parse", "main")


def clone(origin, name, commit):
    """A clone as a task has it: detached at the commit, with a fresh dvc.lock."""
    folder = origin.parent / name
    git.clone(origin.as_uri(), folder)
    git.check_out(folder, commit, origin.as_uri())
    (folder / "dvc.lock").write_text(f"made by: {name}\n")
    return folder


def message_of(commit):
    return write_message(VERSION, commit, {"train": 3, "test": 1}, load_params(TESTS / "params.yaml"))


def test_the_version_is_the_hash_of_sorted_paths_and_hashes():
    # printf 'a 1\nb 2\n' | sha256sum
    assert name_version({"b": "2", "a": "1"}) == "2951835de336"


def test_the_lock_is_pushed_as_an_annotated_tag_alone(origin, commit):
    assert publish_version(clone(origin, "one", commit), VERSION, message_of(commit)) == "created"
    assert git.run_git(origin, "cat-file", "-t", f"DV_{VERSION}") == "tag"
    assert git.run_git(origin, "rev-parse", f"DV_{VERSION}^{{commit}}^") == commit
    assert git.run_git(origin, "show", f"DV_{VERSION}^{{commit}}:dvc.lock") == "made by: one"
    assert git.run_git(origin, "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/main",
        f"refs/tags/DV_{VERSION}",
    ]
    identity = git.run_git(origin, "log", "-1", "--format=%an <%ae> %cn <%ce>", f"DV_{VERSION}")
    assert set(re.findall(r"\S+@\S+", identity)) == {"<loop@sandbox.invalid>"}


def test_the_tag_tells_data_commit_rows_and_parameters(origin, commit):
    publish_version(clone(origin, "one", commit), VERSION, message_of(commit))
    message = git.run_git(origin, "tag", "--list", "--format=%(contents)", f"DV_{VERSION}")
    assert f"data commit: {commit}\nrows: 3 to train, 1 to test\nparameters:\n  raw.file: iris.csv" in message
    assert "split.seed: 20" in message


def test_a_tag_that_is_there_is_left_alone(origin, commit):
    publish_version(clone(origin, "one", commit), VERSION, message_of(commit))
    before = git.run_git(origin, "rev-parse", f"DV_{VERSION}")
    assert publish_version(clone(origin, "two", commit), VERSION, message_of(commit)) == "unchanged"
    assert git.run_git(origin, "rev-parse", f"DV_{VERSION}") == before


def test_of_two_tasks_that_push_the_same_version_the_second_finds_it_unchanged(origin, commit):
    one, two = clone(origin, "one", commit), clone(origin, "two", commit)
    assert publish_version(one, VERSION, message_of(commit)) == "created"
    before = git.run_git(origin, "rev-parse", f"DV_{VERSION}")
    assert publish_version(two, VERSION, message_of(commit)) == "unchanged"
    assert git.run_git(origin, "rev-parse", f"DV_{VERSION}") == before


def test_a_push_that_fails_for_another_reason_is_no_success(origin, commit):
    folder = clone(origin, "one", commit)
    hook = origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Unavailable, match="git push failed"):
        publish_version(folder, VERSION, message_of(commit))


def test_a_lock_that_is_committed_already_needs_no_further_commit(origin, commit):
    folder = clone(origin, "one", commit)
    git.run_git(folder, "add", "dvc.lock")
    git.run_git(folder, "commit", "--quiet", "--message", "lock")
    head = git.run_git(folder, "rev-parse", "HEAD")
    publish_version(folder, VERSION, message_of(head))
    assert git.run_git(origin, "rev-parse", f"DV_{VERSION}^{{commit}}") == head


def test_a_tag_is_read_back_with_its_data_commit(origin, commit):
    publish_version(clone(origin, "one", commit), VERSION, message_of(commit))
    version = read_version_tag(clone(origin, "two", commit), VERSION, origin.as_uri())
    assert version.data_commit == commit
    assert version.commit == git.run_git(origin, "rev-parse", f"DV_{VERSION}^{{commit}}")


def test_an_unknown_version_or_commit_is_named(origin, commit):
    folder = clone(origin, "one", commit)
    with pytest.raises(Rejected, match=f"no tag DV_{VERSION} in"):
        read_version_tag(folder, VERSION, origin.as_uri())
    with pytest.raises(Rejected, match=r"no commit f{40} in"):
        git.check_out(folder, "f" * 40, origin.as_uri())


def test_a_repository_that_does_not_answer_is_worth_a_retry(tmp_path):
    with pytest.raises(Unavailable, match=r"file:///nowhere/x.git cannot be cloned"):
        git.clone("file:///nowhere/x.git", tmp_path / "clone")


def test_the_previous_version_is_the_one_tagged_before(origin, commit, monkeypatch):
    folder = clone(origin, "one", commit)
    assert find_previous(folder, VERSION) is None
    for day, name in enumerate(("DV_c", "DV_a", "DV_b"), start=1):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-01-0{day}T00:00:00Z")
        git.run_git(folder, "tag", "--annotate", "--message", "x", name)
    assert find_previous(folder, VERSION) == "DV_b"
    assert find_previous(folder, "b") == "DV_a"
    assert find_previous(folder, "c") is None
