import subprocess
import sys
from dataclasses import replace
from hashlib import md5

import pytest

from builders import git
from model_training.download import Download, fetch
from model_training.errors import TrainingError, UnavailableError
from model_training.settings import Settings


@pytest.fixture
def damaged(data_project, tmp_path, environment):
    """A copy of the data project that may be broken, and the settings that lead to it."""
    project = data_project.copy(tmp_path / "damaged")
    places = {"GIT_URL": project.root.as_uri(), "DVC_REMOTE_URL": project.remote.as_uri()}
    return project, Settings.from_env({**environment, **places})


def stored(project, name):
    """The file in the DVC remote that holds an output."""
    content = (project.root / "work/data/processed" / name).read_bytes()
    digest = md5(content, usedforsecurity=False).hexdigest()
    return project.remote / "files/md5" / digest[:2] / digest[2:]


def test_a_data_version_arrives_byte_by_byte(settings, iris_folder, tmp_path):
    fetch(settings, tmp_path)
    for name in ("train.parquet", "test.parquet", "schema.json"):
        assert (tmp_path / name).read_bytes() == (iris_folder / name).read_bytes()


def test_a_missing_tag_is_an_expected_failure(settings, tmp_path):
    with pytest.raises(TrainingError, match="has no tag DV_000000000000; run the data task"):
        fetch(replace(settings, data_version="0" * 12), tmp_path)


def test_a_moved_tag_is_noticed(damaged, tmp_path):
    project, settings = damaged
    git(project.root / "data_preprocessing.git", "tag", "DV_000000000000", f"{settings.data_tag}^{{commit}}")
    with pytest.raises(TrainingError, match="the tag was moved"):
        fetch(replace(settings, data_version="0" * 12), tmp_path)


def test_a_damaged_file_in_the_remote_is_noticed(damaged, tmp_path):
    project, settings = damaged
    path = stored(project, "train.parquet")
    path.chmod(0o644)
    path.write_bytes(b"other rows")
    with pytest.raises(TrainingError, match=r"train.parquet has the md5 .* but dvc.lock .* says"):
        fetch(settings, tmp_path)


def test_a_file_missing_from_the_remote_is_an_expected_failure(damaged, tmp_path):
    project, settings = damaged
    stored(project, "test.parquet").unlink()
    with pytest.raises(TrainingError, match=r"test.parquet of DV_.* push that version"):
        fetch(settings, tmp_path)


def test_a_repository_out_of_reach_may_be_tried_again(settings, tmp_path):
    with pytest.raises(UnavailableError, match="Cannot clone"):
        fetch(replace(settings, git_url=(tmp_path / "nowhere").as_uri()), tmp_path)


FAILING_CHILD = """
print('{{"state": "failed", "detail": "{detail}"}}')
raise SystemExit({code})
"""


@pytest.mark.parametrize(
    ("program", "kind", "reason"),
    [
        (FAILING_CHILD.format(detail="no tag", code=1), TrainingError, "no tag"),
        (FAILING_CHILD.format(detail="no way", code=75), UnavailableError, "no way"),
        ("raise SystemExit(9)", UnavailableError, "exit code 9 and no reason"),
    ],
)
def test_the_failure_of_the_child_is_the_failure_of_the_task(tmp_path, program, kind, reason):
    command = [sys.executable, "-c", program]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child,
        pytest.raises(kind, match=reason),
    ):
        Download(child, tmp_path).wait()
