"""A REF is a commit, a tag, a model version or a run id; the newest loop is the one pushed last."""

from types import SimpleNamespace

import pytest

from sandbox import cli, reference
from sandbox.errors import LoopError, MachineError, ServiceError, SettingsError
from sandbox.git import IDENTITY, git

CODE, DATA = "c" * 40, "d" * 40


def pushed_at(moment):
    return [{"context": "ci", "id": 1, "status": "success", "created_at": moment}]


class FakeStatuses:
    """Two pushed commits."""

    rows = {  # noqa: RUF012
        ("model_training", CODE): pushed_at("2026-05-01T10:00:00Z"),
        ("data_preprocessing", DATA): pushed_at("2026-05-01T10:00:30Z"),
    }

    def of(self, repository, ref):
        found = [key for key in self.rows if key[0] == repository and key[1].startswith(ref)]
        return (found[0][1], self.rows[found[0]]) if found else None


class FakeAirflow:
    """One push run, started after both pushes, and one scheduled run."""

    newest = None
    runs = {  # noqa: RUF012
        f"push-model_training-{CODE[:12]}": {
            "reason": "push",
            "repository": "model_training",
            "commit": CODE,
        },
        "schedule-2026-05-02": {"reason": "schedule"},
        "manual-2": {"name": "iris", "version": "3"},
    }

    def run(self, dag, run_id):
        if (dag == "promote_model") != (run_id == "manual-2"):
            return None
        return {"dag_run_id": run_id, "conf": self.runs[run_id]} if run_id in self.runs else None

    def newest_run(self, dag):
        return self.run(dag, self.newest) | {"run_after": "2026-05-01T10:01:00Z"} if self.newest else None


@pytest.fixture
def context(monkeypatch):
    heads = {"model_training": CODE, "data_preprocessing": DATA}
    monkeypatch.setattr(reference, "remote_head", lambda url, _branch, _folder: heads.get(url, ""))
    return SimpleNamespace(
        statuses=FakeStatuses(),
        airflow=FakeAirflow(),
        mlflow=SimpleNamespace(
            names=lambda: ["iris"],
            version=lambda _name, number: (
                {"tags": {"loop_run_id": "schedule-2026-05-02"}} if number == "3" else None
            ),
        ),
        endpoints=SimpleNamespace(clone_url=lambda name: name),
    )


@pytest.mark.parametrize("ref", [CODE, CODE[:8], f"push-model_training-{CODE[:12]}"])
def test_a_commit_and_its_run_id_name_the_same_loop(context, ref):
    loop = reference.find_loop(context, ref)
    assert (loop.repository, loop.commit) == ("model_training", CODE)
    assert loop.run_id == f"push-model_training-{CODE[:12]}"


@pytest.mark.parametrize("ref", ["3", "iris/3", "schedule-2026-05-02"])
def test_a_model_version_and_a_run_id_name_a_run(context, ref):
    assert reference.find_loop(context, ref).run_id == "schedule-2026-05-02"


def test_the_run_id_of_a_promotion_names_it(context):
    loop = reference.find_loop(context, "manual-2")
    assert (loop.dag, loop.run_id, loop.commit) == ("promote_model", "manual-2", "")


def test_the_newest_is_the_last_push_also_while_an_older_run_goes_on(context):
    context.airflow.newest = f"push-model_training-{CODE[:12]}"
    assert reference.find_loop(context, "").commit == DATA


def test_a_later_scheduled_run_is_the_newest(context):
    context.airflow.newest = "schedule-2026-05-02"
    assert reference.find_loop(context, "").run_id == "schedule-2026-05-02"


def test_a_data_version_names_the_commit_it_was_made_from(context, tmp_path, monkeypatch):
    tag = "DV_0123456789ab"
    git("init", "--quiet", "--initial-branch=main", folder=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message", "made by the loop", folder=tmp_path, env=IDENTITY)
    git("tag", "--annotate", "-m", f"Data\n\ndata commit: {DATA}", tag, folder=tmp_path, env=IDENTITY)
    made = git("rev-parse", "HEAD", folder=tmp_path)
    context.endpoints.clone_url = lambda _: tmp_path.as_uri()
    of = FakeStatuses.of
    monkeypatch.setattr(FakeStatuses, "of", lambda self, *at: (made, []) if at[1] == tag else of(self, *at))
    assert reference.find_loop(context, tag).commit == DATA


def test_a_ref_that_nobody_knows_is_an_expected_failure(context):
    for ref in ("nothing", "DV_0123456789ab"):
        with pytest.raises(LoopError, match="Nothing here is called"):
            reference.find_loop(context, ref)


@pytest.fixture
def line(monkeypatch, tmp_path):
    """Four commits in a row in a real repository of that name; who was built is for the test to say."""
    env = IDENTITY | {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
    git("init", "--quiet", "--initial-branch=main", folder=tmp_path)
    commits = []
    for word in ("one", "two", "three", "four"):
        git("commit", "--quiet", "--allow-empty", "--message", word, folder=tmp_path, env=env)
        commits.append(git("rev-parse", "HEAD", folder=tmp_path))
        monkeypatch.setitem(FakeStatuses.rows, ("model_training", commits[-1]), [])
    return commits


@pytest.fixture
def lined(context, tmp_path):
    context.endpoints.clone_url = lambda _: tmp_path.as_uri()
    return context


def built(monkeypatch, commit):
    monkeypatch.setitem(FakeStatuses.rows, ("model_training", commit), pushed_at("2026-05-01T10:00:00Z"))


def test_an_inner_commit_of_a_push_is_part_of_the_first_one_built_after_it(lined, line, monkeypatch):
    for commit in line[2:]:
        built(monkeypatch, commit)
    for ref in (line[0], line[1][:9], f"push-model_training-{line[0][:12]}"):
        assert reference.find_loop(lined, ref).part_of == line[2]
    assert not reference.find_loop(lined, line[2]).part_of


@pytest.fixture
def branch_off(tmp_path, monkeypatch):
    """A function that commits to a branch that leaves `line` at `commit`; the new commit."""

    def commit_on(commit):
        git("checkout", "--quiet", "-B", "topic", commit, folder=tmp_path)
        # Before the head of main was made: a walk through both branches has it first.
        moment = {f"GIT_{who}_DATE": "2025-12-31T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
        git("commit", "--quiet", "--allow-empty", "-m", "off", folder=tmp_path, env=IDENTITY | moment)
        made = git("rev-parse", "HEAD", folder=tmp_path)
        monkeypatch.setitem(FakeStatuses.rows, ("model_training", made), [])
        return made

    return commit_on


def test_a_branch_off_an_inner_commit_is_not_what_it_was_part_of(lined, line, branch_off, monkeypatch):
    built(monkeypatch, branch_off(line[0]))
    for commit in (line[1], line[3]):
        built(monkeypatch, commit)
    assert reference.find_loop(lined, line[0]).part_of == line[1]
    assert reference.find_loop(lined, line[2]).part_of == line[3]


def test_a_branch_counts_neither_before_main_is_built_nor_once_it_is_merged(
    lined, line, branch_off, monkeypatch, tmp_path
):
    built(monkeypatch, branch_off(line[0]))
    assert reference.find_loop(lined, line[0]).part_of == line[3]
    git("checkout", "--quiet", "main", folder=tmp_path)
    git("merge", "--quiet", "--no-ff", "-m", "merge", "topic", folder=tmp_path, env=IDENTITY)
    merge = git("rev-parse", "HEAD", folder=tmp_path)
    built(monkeypatch, merge)
    assert reference.find_loop(lined, line[0]).part_of == merge


def test_an_inner_commit_of_a_branch_is_part_of_what_that_branch_built(lined, line, branch_off, monkeypatch):
    inner = branch_off(line[0])
    head = branch_off(inner)
    for commit in (head, *line):
        built(monkeypatch, commit)
    assert reference.find_loop(lined, inner).part_of == head


def test_a_status_of_somebody_else_is_no_build(lined, line, monkeypatch):
    built(monkeypatch, line[3])
    for commit in line[:2]:
        of_others = [row | {"context": "review"} for row in pushed_at("2026-05-01T10:00:00Z")]
        monkeypatch.setitem(FakeStatuses.rows, ("model_training", commit), of_others)
    assert reference.find_loop(lined, line[0]).part_of == line[3]


def test_a_head_that_ci_has_not_seen_yet_is_waited_for_with_its_inner_commits(lined, line):
    assert reference.find_loop(lined, line[3]).part_of == ""
    assert reference.find_loop(lined, line[1]).part_of == line[3]


def test_a_commit_on_no_branch_is_said_and_not_waited_for(lined, line, tmp_path):
    git("update-ref", "refs/heads/main", line[1], folder=tmp_path)
    git("update-ref", "refs/tags/kept", line[3], folder=tmp_path)
    with pytest.raises(LoopError, match="not built: it is on no branch"):
        reference.find_loop(lined, line[3])


@pytest.mark.parametrize(
    ("error", "driver", "told"),
    [
        (ServiceError("MLflow does not answer."), "embedded", True),
        (MachineError("A port is taken."), "embedded", True),
        (ServiceError("MLflow does not answer."), "docker", False),
        (LoopError("Nothing here is called 'mian'."), "embedded", False),
        (SettingsError("A value in .env cannot be used."), "embedded", False),
    ],
)
def test_a_short_disk_is_told_where_it_may_be_the_cause(monkeypatch, error, driver, told):
    def fail(**_):
        raise error

    notes = []
    monkeypatch.setattr(cli, "cli", fail)
    monkeypatch.setattr(cli, "load_settings", lambda: SimpleNamespace(driver=driver))
    monkeypatch.setattr(cli, "disk_shortage", lambda _: "Only 0.10 GiB are free.")
    monkeypatch.setattr(cli.console, "note", notes.append)
    with pytest.raises(SystemExit):
        cli.main()
    assert notes == (["Only 0.10 GiB are free. Make room there first"] if told else [])
