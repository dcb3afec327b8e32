"""The first DAGs are given to Airflow by a tag that CI moves from then on."""

import pytest

from sandbox.git import IDENTITY, git
from sandbox.settings import DEPLOYED, ROOT
from sandbox.steps.sample_repositories import _deploy, _push


@pytest.fixture
def dags(tmp_path):
    """A repository of two commits."""
    git("init", "--quiet", "--initial-branch=main", folder=tmp_path)
    for word in ("one", "two"):
        git("commit", "--quiet", "--allow-empty", "--message", word, folder=tmp_path, env=IDENTITY)
    return tmp_path


def test_the_first_dags_come_with_the_tag(tmp_path):
    git("init", "--quiet", "--bare", "--initial-branch=main", folder=tmp_path)
    assert _push("airflow_dags", tmp_path.as_uri())
    refs = git("for-each-ref", "--format=%(refname) %(objectname)", folder=tmp_path).splitlines()
    (branch, first), (tag, second) = (line.split() for line in refs)
    assert (branch, tag, first) == ("refs/heads/main", f"refs/tags/{DEPLOYED}", second)
    assert not _push("airflow_dags", tmp_path.as_uri())
    assert not _deploy(tmp_path.as_uri())


def test_airflow_gets_the_dags_of_main_once_and_keeps_what_it_has(dags):
    first, second = git("rev-list", "--reverse", "main", folder=dags).split()
    assert _deploy(dags.as_uri())
    assert git("rev-parse", f"refs/tags/{DEPLOYED}", folder=dags) == second
    git("update-ref", f"refs/tags/{DEPLOYED}", first, folder=dags)
    assert not _deploy(dags.as_uri())
    assert git("rev-parse", f"refs/tags/{DEPLOYED}", folder=dags) == first


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("compose/compose.pipelines.yaml", f'"tracking_ref": "{DEPLOYED}"'),
        ("services/ci/ci/deployed.py", f'"refs/tags/{DEPLOYED}"'),
    ],
)
def test_the_others_call_it_the_same(file, text):
    assert text in (ROOT / file).read_text()
