"""The task as the loop starts it: real Git, real DVC, MLflow's real client on a folder."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from samples import PROJECT

from data_preprocessing import git, layout
from data_preprocessing.errors import Rejected, Unavailable
from data_preprocessing.settings import Settings
from data_preprocessing.store import isolate, open_project, push_outputs
from data_preprocessing.task import Task, main


class Notebook:
    """Stands in for MLflow's client where its import would only cost time."""

    def __init__(self, reachable: bool = True) -> None:
        self.runs: list[dict] = []
        self.reachable = reachable

    def find_run(self, data_version: str) -> str:
        return f"run of {data_version}"

    def log_run(self, run: dict) -> str:
        if not self.reachable:
            raise Unavailable("MLflow is away.")
        files = {Path(path).name: Path(path).read_text() for path in run["files"]}
        self.runs.append({**run, "files": files})
        return "new"


@pytest.fixture
def task(lab, tmp_path):
    """Build a task in this process."""
    with isolate(tmp_path):
        yield lambda notebook=None, **changes: Task(
            Settings.from_env({**lab.environ, **changes}), tmp_path, notebook or Notebook()
        )


@pytest.fixture
def run_here(lab, monkeypatch, capfd):
    """Run the whole task in this process; return its exit code, its last line as an object and all output."""
    monkeypatch.chdir(PROJECT)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(**changes: str) -> tuple[int, dict, str]:
        for name, value in {**lab.environ, **changes}.items():
            monkeypatch.setenv(name, value)
        code, captured = main(), capfd.readouterr()
        return code, json.loads(captured.out.splitlines()[-1]), captured.out + captured.err

    return run


def test_the_last_line_is_the_result(lab, first):
    code, result, output = first
    assert code == 0, output
    assert result == {
        "state": "passed",
        "detail": f"DV_{result['data_version']} created: 119 rows to train, 30 to test.",
        "data_version": result["data_version"],
        "data_commit": lab.commit,
        "rows": {"train": 119, "test": 30},
        "mlflow_run_id": result["mlflow_run_id"],
    }


def test_the_tag_is_all_that_git_gets(lab, first):
    tag = f"DV_{first[1]['data_version']}"
    refs = git.run_git(lab.bare, "for-each-ref", "--format=%(refname)").split()
    assert refs == ["refs/heads/main", f"refs/tags/{tag}"]
    assert git.run_git(lab.bare, "diff", "--name-only", lab.commit, tag) == "dvc.lock"


def test_the_store_gets_the_three_outputs_alone(lab, first):
    assert first[0] == 0
    assert len([path for path in (lab.root / "store").rglob("*") if path.is_file()]) == 3


def test_nothing_is_left_in_scratch_or_home(lab, first):
    assert first[0] == 0
    assert list((lab.root / "tmp").iterdir()) == []
    assert not list((lab.root / "home").rglob("*dvc*"))


def test_mlflow_gets_tags_figures_and_files(lab, first):
    result = first[1]
    (run,) = (lab.root / "mlflow").glob(f"*/{result['mlflow_run_id']}")
    tags = {path.name: path.read_text() for path in (run / "tags").iterdir()}
    assert (
        tags.items()
        >= {
            "mlflow.runName": f"DV_{result['data_version']}",
            "data_version": result["data_version"],
            "data_commit": lab.commit,
            "loop_run_id": "manual-1",
            "build": "http://ci/1",
            "image": "env:sha256:0",
        }.items()
    )
    assert (run / "params/split.seed").read_text() == "20"
    assert (run / "metrics/cleaning.duplicates_dropped").read_text().split()[1] == "1.0"
    assert {path.name for path in (run / "artifacts").rglob("*") if path.is_file()} == {
        "description.json",
        "description.md",
        "validation.json",
        "classes.png",
        "numbers.png",
    }


def test_a_historical_version_comes_back_without_raw_data(first, task):
    made = first[1]
    changes = {"DATA_VERSION": made["data_version"], "DATA_URL": "file:///nowhere", "DATA_COMMIT": "f" * 40}
    result = task(**changes).run()
    assert result == {
        **made,
        "detail": f"DV_{made['data_version']} restored: 119 rows to train, 30 to test.",
        "mlflow_run_id": f"run of {made['data_version']}",
    }


def test_an_unknown_historical_version_is_named(first, task):
    assert first[0] == 0
    with pytest.raises(Rejected, match="There is no tag DV_000000000000 in"):
        task(DATA_VERSION="000000000000").run()


def test_data_that_the_store_lost_is_refused(first, task, tmp_path):
    with pytest.raises(Rejected, match="lacks files of this version"):
        task(DATA_VERSION=first[1]["data_version"], DVC_REMOTE_URL=(tmp_path / "empty").as_uri()).run()


def test_data_that_the_store_changed_is_refused(lab, first, task, tmp_path):
    shutil.copytree(lab.root / "store", tmp_path / "bent")
    for path in (tmp_path / "bent").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"bent")
    with pytest.raises(Rejected, match=r"lacks files of this version|has other bytes"):
        task(DATA_VERSION=first[1]["data_version"], DVC_REMOTE_URL=(tmp_path / "bent").as_uri()).run()


def test_the_next_version_is_compared_with_the_one_before(first, task):
    current = task(DATA_VERSION=first[1]["data_version"])
    current.run()
    train, test = current.clone / layout.TRAIN, current.clone / layout.TEST
    test.rename(test.with_suffix(".old"))
    train.rename(test)
    test.with_suffix(".old").rename(train)
    current.compare("ffffffffffff")
    difference = layout.read_json(current.clone / layout.DIFFERENCE)
    assert difference["previous"] == f"DV_{first[1]['data_version']}"
    assert difference["rows"] == {"before": 149, "after": 149, "added": 0, "removed": 0, "changed_side": 149}


def test_bad_data_ends_the_task_with_its_reason_and_leaves_a_report(lab, task, tmp_path, monkeypatch):
    (tmp_path / "iris.csv").write_text((lab.root / "raw/iris.csv").read_text().replace("7.0,3.2", "70,3.2"))
    monkeypatch.setenv("DATA_URL", tmp_path.as_uri())
    notebook = Notebook()
    with pytest.raises(Rejected) as caught:
        task(notebook).run()
    assert str(caught.value) == "Validation: column sepal_length breaks rule max 30.0 with 70.0 in line 52."
    (run,) = notebook.runs
    assert run["state"] == "FAILED"
    assert "data_version" not in run["tags"]
    assert json.loads(run["files"]["validation.json"])["failures"][0]["column"] == "sepal_length"


def test_mlflow_being_away_does_not_hide_why_data_was_refused(task, capsys):
    task(Notebook(reachable=False)).log_failure(Rejected("bad data"))
    assert "the report is not in MLflow: MLflow is away." in capsys.readouterr().out


def test_a_missing_setting_is_an_expected_failure(run_here):
    code, result, _ = run_here(DVC_REMOTE_URL="")
    assert (code, result["state"]) == (1, "failed")
    assert "DVC_REMOTE_URL is not set" in result["detail"]


def test_a_repository_that_does_not_answer_is_a_crash_worth_a_retry(run_here):
    code, result, output = run_here(GIT_URL="file:///nowhere")
    assert code == 75
    assert "file:///nowhere/data_preprocessing.git cannot be cloned" in result["detail"]
    assert "Traceback" not in output


def test_a_store_that_takes_no_data_is_worth_a_retry(first, task, tmp_path):
    current = task(DATA_VERSION=first[1]["data_version"])
    current.run()
    (tmp_path / "file").write_text("in the way")
    url = (tmp_path / "file/store").as_uri()
    with (
        open_project(current.clone, url, tmp_path / "cache") as project,
        pytest.raises(Unavailable, match="takes no data"),
    ):
        push_outputs(project, url)


def test_a_stopped_task_leaves_nothing_behind(lab, tmp_path):
    process = lab.start(TMPDIR=str(tmp_path))
    assert "start" in process.stdout.readline()
    assert len(os.listdir(tmp_path)) == 1
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert os.listdir(tmp_path) == []
    assert "Traceback" not in output
