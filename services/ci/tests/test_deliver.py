"""Delivering is tried until Airflow takes it, and every refusal is said in its words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakeserver import LOGIN, Answer, FakeServer
from workshop import SCRIPTS, Repository, basic, git

from ci.airflow import Airflow
from ci.bundle import REFRESH, BundleWatch
from ci.command_settings import repository_url
from ci.deployed import login
from ci.errors import DeliverError

IMAGE = "env:sha256:" + "a" * 64
RUNS = "POST /api/v2/dags/train_and_serve/dagRuns"
DAG = "GET /api/v2/dags/train_and_serve"
ERRORS = "GET /api/v2/importErrors"


Deliver = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def deliver(fake: FakeServer, tmp_path: Path) -> Deliver:
    def run(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
        values = {
            "ORGANISATION": "mlops",
            "GIT_URL": (tmp_path / "git").as_uri(),
            "STATUS_URL": f"{fake.url}/api/v1",
            "STATUS_USER": "loop",
            "STATUS_TOKEN": "token-1",
            "AIRFLOW_URL": fake.url,
            "AIRFLOW_WEB_URL": "http://localhost:8803",
            "AIRFLOW_USER": "loop",
            "AIRFLOW_PASSWORD": "pass-1",
            "JOB_NAME": folder.name,
            "BUILD_URL": "http://localhost:8804/job/x/1/",
            "CI_DELIVER_TIMEOUT": "8",
            "HTTP_PROXY": "http://127.0.0.1:9",  # must not be used for this machine's own servers
        }
        return subprocess.run(
            [SCRIPTS / "ci", "deliver"],
            cwd=folder,
            env=os.environ | values | env,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def project(repository: Repository, fake: FakeServer) -> Repository:
    sha = repository.commit({"build/image.ref": IMAGE + "\n"})
    fake.answers[f"POST /api/v1/repos/mlops/model_training/statuses/{sha}"] = (201, {})
    fake.answers[RUNS] = (200, {})
    return repository


@pytest.fixture(autouse=True)
def no_import_errors(fake: FakeServer) -> None:
    fake.answers[ERRORS] = (200, {"import_errors": []})


def head(repository: Repository) -> str:
    return git(repository.work, "rev-parse", "HEAD")


def test_the_image_is_said_and_the_run_asked_for(
    deliver: Deliver, fake: FakeServer, project: Repository
) -> None:
    done = deliver(project.work)
    assert (done.returncode, done.stderr) == (0, "")
    sha = head(project)
    run = f"push-model_training-{sha[:12]}"
    assert f"http://localhost:8803/dags/train_and_serve/runs/{run}" in done.stdout
    (status,) = fake.bodies(f"POST /api/v1/repos/mlops/model_training/statuses/{sha}")
    assert (status["state"], status["context"], status["description"]) == ("success", "image", IMAGE)
    (body,) = fake.bodies(RUNS)
    assert body == {
        "dag_run_id": run,
        "logical_date": None,
        "conf": {
            "reason": "push",
            "repository": "model_training",
            "commit": sha,
            "image": IMAGE,
            "build": "http://localhost:8804/job/x/1/",
        },
    }
    headers = {name: values for name, _, values in fake.requests}
    assert headers[RUNS]["Authorization"] == "Bearer jwt"
    status_headers = headers[f"POST /api/v1/repos/mlops/model_training/statuses/{sha}"]
    assert status_headers["Authorization"] == basic("loop", "token-1")
    assert fake.bodies(LOGIN) == [{"username": "loop", "password": "pass-1"}]


def test_outside_ci_the_folder_names_the_repository(deliver: Deliver, project: Repository) -> None:
    assert deliver(project.work, JOB_NAME="").returncode == 0


def test_it_waits_for_an_airflow_that_is_starting(
    deliver: Deliver, fake: FakeServer, project: Repository
) -> None:
    fake.answers[LOGIN] = [(503, {}), (201, {"access_token": "jwt"})]
    fake.answers[RUNS] = [(404, {"detail": "no such DAG"}), (500, {}), (200, {})]
    done = deliver(project.work)
    assert done.returncode == 0
    assert "Waiting: " in done.stdout
    assert len(fake.bodies(RUNS)) == 3


def test_a_run_that_is_there_is_fine(deliver: Deliver, fake: FakeServer, project: Repository) -> None:
    fake.answers[RUNS] = (409, {"detail": "exists"})
    done = deliver(project.work)
    assert done.returncode == 0
    assert "already accepted" in done.stdout


def test_a_token_that_has_ended_is_renewed(deliver: Deliver, fake: FakeServer, project: Repository) -> None:
    fake.answers[RUNS] = [(401, {}), (200, {})]
    assert deliver(project.work).returncode == 0
    assert len(fake.bodies(LOGIN)) == 2


@pytest.mark.parametrize(
    ("request_", "answer", "reason"),
    [
        (LOGIN, (401, {"detail": "Invalid credentials"}), "check AIRFLOW_USER and AIRFLOW_PASSWORD"),
        (LOGIN, (200, {"other": 1}), "gave no token"),
        (RUNS, (422, {"detail": "bad conf"}), "refused the run"),
        (RUNS, (403, {"detail": "Forbidden"}), "(403): Forbidden"),
        (RUNS, (404, {}), "does not know the DAG train_and_serve yet"),
        (
            "STATUS",
            (401, {"message": "wrong token"}),
            "(401): wrong token; check STATUS_USER and STATUS_TOKEN",
        ),
    ],
)
def test_a_refusal_is_said_in_one_sentence(
    deliver: Deliver, fake: FakeServer, project: Repository, request_: str, answer: Answer, reason: str
) -> None:
    name = (
        f"POST /api/v1/repos/mlops/model_training/statuses/{head(project)}"
        if request_ == "STATUS"
        else request_
    )
    fake.answers[name] = answer
    done = deliver(project.work, CI_DELIVER_TIMEOUT="1")
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_an_airflow_that_never_comes_is_named(deliver: Deliver, project: Repository) -> None:
    done = deliver(project.work, AIRFLOW_URL="http://127.0.0.1:9", CI_DELIVER_TIMEOUT="1")
    assert done.returncode == 1
    assert "CI_DELIVER_TIMEOUT is 1 s" in done.stderr
    assert "http://127.0.0.1:9/auth/token does not answer" in done.stderr


def test_a_missing_image_or_setting_is_said(deliver: Deliver, repository: Repository) -> None:
    repository.commit({"a": "b"})
    assert "run `ci image` first" in deliver(repository.work).stderr
    for key in ("AIRFLOW_PASSWORD", "STATUS_USER", "STATUS_TOKEN"):
        assert f"{key} is not set" in deliver(repository.work, **{key: ""}).stderr


def test_the_trailer_starts_no_run(deliver: Deliver, fake: FakeServer, repository: Repository) -> None:
    sha = repository.commit({"build/image.ref": IMAGE}, "Bootstrap\n\nText.\n\nStarts-Run: no")
    fake.answers[f"POST /api/v1/repos/mlops/model_training/statuses/{sha}"] = (201, {})
    done = deliver(repository.work)
    assert done.returncode == 0
    assert "no run is started" in done.stdout
    assert [name for name, _, _ in fake.requests] == [
        f"POST /api/v1/repos/mlops/model_training/statuses/{sha}"
    ]


def test_names_and_messages_reach_no_shell(
    deliver: Deliver, fake: FakeServer, repository: Repository, tmp_path: Path
) -> None:
    evil = f"x;touch$IFS{tmp_path}/pwned;$(touch {tmp_path}/pwned)`touch {tmp_path}/pwned`"
    sha = repository.commit({"build/image.ref": IMAGE}, f"{evil}\n\nReviewed-by: {evil}")
    fake.answers[f"POST /api/v1/repos/mlops/model_training/statuses/{sha}"] = (201, {})
    fake.answers[RUNS] = (200, {})
    done = deliver(repository.work, BRANCH_NAME=evil, GIT_BRANCH=evil, BUILD_URL=evil)
    assert (done.returncode, done.stderr) == (0, "")
    (body,) = fake.bodies(RUNS)
    assert body["conf"]["build"] == evil
    assert not (tmp_path / "pwned").exists()


def test_words_about_the_trailer_are_no_trailer(
    deliver: Deliver, fake: FakeServer, repository: Repository
) -> None:
    sha = repository.commit({"build/image.ref": IMAGE}, "Explain\n\nStarts-Run: no\n\nis a trailer.")
    fake.answers[f"POST /api/v1/repos/mlops/model_training/statuses/{sha}"] = (201, {})
    fake.answers[RUNS] = (200, {})
    assert deliver(repository.work).returncode == 0
    assert len(fake.bodies(RUNS)) == 1


# -- the repository of the DAGs


@pytest.fixture
def dags(make_repository: Callable[[str], Repository]) -> Repository:
    repository = make_repository("airflow_dags")
    repository.push_files({"dags/a.py": "x"}, "DAGs\n\nStarts-Run: no")
    return repository


def dag(version: str) -> Answer:
    return 200, {"bundle_name": "dags", "bundle_version": version}


def import_error(text: str, bundle: str = "dags", age: float = 0) -> dict[str, Any]:
    when = datetime.now(UTC) - timedelta(seconds=age)
    return {"filename": "a.py", "bundle_name": bundle, "stack_trace": text, "timestamp": when.isoformat()}


def test_dags_wait_for_the_bundle_and_start_nothing(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    fake.answers[DAG] = [(404, {}), dag(""), dag("1" * 40), dag(head(dags))]
    done = deliver(dags.work)
    assert done.returncode == 0, done.stderr
    assert "bundle is at" in done.stdout
    assert len(fake.bodies(DAG)) == 4
    assert fake.bodies(RUNS) == []


def test_a_later_push_that_overtook_counts(deliver: Deliver, fake: FakeServer, dags: Repository) -> None:
    built = head(dags)
    newer = dags.push_files({"dags/b.py": "y"})
    git(dags.work, "checkout", "--quiet", "--detach", built)
    fake.answers[DAG] = dag(newer)
    done = deliver(dags.work)
    assert done.returncode == 0
    assert f"at {newer[:12]}, which contains {built[:12]}" in done.stdout


def test_a_new_import_error_fails_at_once_with_its_text(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    fake.answers[DAG] = dag("1" * 40)
    error = {"import_errors": [import_error("Traceback…\nNameError: name 'x' is not defined")]}
    fake.answers[ERRORS] = [(200, {"import_errors": []}), (200, error)]
    done = deliver(dags.work)
    assert done.returncode == 1
    assert "Airflow cannot import a.py" in done.stderr
    assert "NameError: name 'x' is not defined" in done.stderr
    assert len(fake.bodies(DAG)) == 2


def test_the_error_that_the_push_mends_does_not_fail_it(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    fake.answers[DAG] = [dag("1" * 40), dag(head(dags))]
    others = [import_error("old"), import_error("elsewhere", bundle="other")]
    fake.answers[ERRORS] = [(200, {"import_errors": others}), (200, {"import_errors": [others[1]]})]
    assert deliver(dags.work).returncode == 0


def test_an_old_error_that_comes_back_after_the_refresh_fails(fake: FakeServer, dags: Repository) -> None:
    fake.answers[DAG] = dag("1" * 40)
    fake.answers[ERRORS] = (200, {"import_errors": [import_error("still broken")]})
    airflow = Airflow(fake.url, "loop", "pass-1")
    watch = BundleWatch(airflow, "train_and_serve", head(dags), dags.work, dags.bare.as_uri())
    watch.started = datetime.now(UTC) - REFRESH * 2
    with pytest.raises(DeliverError, match="still broken"):
        watch.look()


def test_a_bundle_that_never_comes_is_said_with_its_version(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    fake.answers[DAG] = dag("1" * 40)
    done = deliver(dags.work, CI_DELIVER_TIMEOUT="1")
    assert done.returncode == 1
    assert "Last seen: Airflow's bundle is at 111111111111" in done.stderr


@pytest.mark.parametrize("given", ["http://gitea:3000/mlops", "http://gitea:3000/mlops/airflow_dags.git"])
def test_a_repository_is_found_below_git_url_or_there(given: str) -> None:
    found = repository_url({"GIT_URL": given}, "airflow_dags")
    assert found == "http://gitea:3000/mlops/airflow_dags.git"


def tagged(dags: Repository) -> str:
    """The commit that Airflow is to run."""
    return git(dags.bare, "rev-parse", "refs/tags/deployed")


def test_airflow_follows_the_tag_that_a_green_build_moves(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    for text in ("a = 1\n", "a = 2\n"):
        sha = dags.push_files({"dags/a.py": text})
        fake.answers[DAG] = dag(sha)
        assert deliver(dags.work).returncode == 0
        assert tagged(dags) == sha


def test_an_older_commit_built_once_more_takes_nothing_back(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    first, second = head(dags), dags.push_files({"dags/a.py": "a = 1\n"})
    fake.answers[DAG] = dag(second)
    assert deliver(dags.work).returncode == 0
    git(dags.work, "checkout", "--quiet", "--detach", first)
    assert deliver(dags.work).returncode == 0
    assert tagged(dags) == second


def test_main_that_was_set_back_sets_airflow_back(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    first, second = head(dags), dags.push_files({"dags/a.py": "a = 1\n"})
    fake.answers[DAG] = dag(second)
    assert deliver(dags.work).returncode == 0
    git(dags.work, "reset", "--quiet", "--hard", first)
    dags.push("main", "--force")
    fake.answers[DAG] = dag(first)
    assert deliver(dags.work).returncode == 0
    assert tagged(dags) == first


def test_dags_that_airflow_cannot_import_are_taken_back(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    first = head(dags)
    fake.answers[DAG] = dag(first)
    assert deliver(dags.work).returncode == 0
    dags.push_files({"dags/a.py": "a = 1\n"})
    fake.answers[ERRORS] = [
        (200, {"import_errors": []}),
        (200, {"import_errors": [import_error("ImportError: no")]}),
    ]
    done = deliver(dags.work)
    assert done.returncode == 1
    assert "Airflow cannot import" in done.stderr
    assert f"Tag deployed: {first[:12]} again" in done.stdout
    assert tagged(dags) == first


def test_a_try_after_one_that_was_broken_off_goes_back_to_what_airflow_took(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    first = head(dags)
    fake.answers[DAG] = dag(first)
    assert deliver(dags.work).returncode == 0
    second = dags.push_files({"dags/a.py": "a = 1\n"})
    git(dags.work, "push", "--quiet", "--force", "origin", f"{second}:refs/tags/deployed")
    assert deliver(dags.work, CI_DELIVER_TIMEOUT="1").returncode == 1  # Airflow stays at the first
    assert tagged(dags) == first


def test_a_history_that_was_rewritten_is_put_back_too(
    deliver: Deliver, fake: FakeServer, dags: Repository
) -> None:
    first = head(dags)
    fake.answers[DAG] = dag(first)
    assert deliver(dags.work).returncode == 0
    git(dags.work, "commit", "--quiet", "--amend", "--message", "Another first commit")
    dags.push("main", "--force")
    git(dags.work, "reflog", "expire", "--expire=now", "--all")
    git(dags.work, "gc", "--quiet", "--prune=now")  # a fresh workspace does not know the first
    done = deliver(dags.work, CI_DELIVER_TIMEOUT="1")
    assert done.returncode == 1
    assert f"Tag deployed: {first[:12]} again" in done.stdout
    assert tagged(dags) == first


@pytest.mark.parametrize(
    ("url", "has"),
    [("http://gitea:3000/m/airflow_dags.git", True), ("http://u:p@g/a.git", False), ("file:///a", False)],
)
def test_an_address_without_login_gets_the_loops_user(url: str, has: bool) -> None:
    gitea = SimpleNamespace(user="loop", token="token-1")
    found = login(SimpleNamespace(repository_url=url, gitea=gitea))
    assert bool(found) is has
    assert not has or found["GIT_CONFIG_VALUE_0"] == f"Authorization: {basic('loop', 'token-1')}"
