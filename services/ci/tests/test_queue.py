"""Builds are real: real git, real make, in order, each repository for itself, and never lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workshop import JENKINSFILE, MAKEFILE, Repository, finished, git, log_of, pipeline, wait_for

from ci.app import Ci, create_app
from ci.settings import ServerSettings

NAME = "model_training"
FILES = {"Makefile": MAKEFILE, "Jenkinsfile": JENKINSFILE}
StartQueue = Callable[..., Ci]


def submit(ci: Ci, repository: Repository, sha: str, branch: str = "main") -> int:
    return ci.queue.submit(repository.name, f"refs/heads/{branch}", sha).number


def descriptions(ci: Ci, sha: str, name: str = NAME) -> list[str]:
    return [f"{s.state}: {s.description}" for s in reversed(ci.statuses.all(name, sha)) if s.context == "ci"]


def build(ci: Ci, repository: Repository, files: dict[str, str], branch: str = "main") -> tuple[str, str]:
    """Push and build; state and detail."""
    number = submit(ci, repository, repository.push_files(files, ref=branch), branch)
    ended = finished(ci, repository.name, number)
    return ended.state, ended.detail


def test_a_green_build_says_each_stage(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    sha = repository.push_files(FILES)
    submit(ci, repository, sha)
    assert finished(ci, NAME).state == "success"
    *steps, last = descriptions(ci, sha)
    assert steps == [
        "pending: queued as build 1",
        "pending: stage lint",
        "pending: stage test",
        "pending: stage deliver",
    ]
    assert last.startswith("success: 3 stages in ")
    assert [stage.state for stage in ci.store.stages(NAME, 1)] == ["passed"] * 3
    log = log_of(ci, NAME)
    assert log.index("+ make lint\nlinted\n") < log.index("+ make test\ntested\n")


def test_a_red_build_says_stage_exit_code_and_reason(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    makefile = "lint:\n\t@echo ok\ntest:\n\t@echo '2 failed, 1 passed'; exit 3\n"
    state, detail = build(ci, repository, {**FILES, "Makefile": makefile})
    assert state == "failure"
    assert detail == "stage test: exit 2: 2 failed, 1 passed"
    assert [stage.state for stage in ci.store.stages(NAME, 1)] == ["passed", "failed", "skipped"]


JUNIT = """<?xml version="1.0" encoding="UTF-8"?><testsuites><testsuite name="pytest" tests="3">
<testcase classname="tests.test_a" name="test_fine"/>
<testcase classname="tests.test_a" name="test_first"><failure message="no">no</failure></testcase>
<testcase classname="tests.test_b" name="test_second"><error message="no">no</error></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("write", "said"),
    [
        ("cp report.xml build/junit.xml", "; failed: tests.test_a.test_first and 1 more"),
        ("cp -p old.xml build/junit.xml", ""),
        ("echo '<testsuites>' > build/junit.xml", ""),
        ("sed 's/UTF-8/foo/' report.xml > build/junit.xml", ""),
        ("true", ""),
    ],
    ids=["written", "left by an earlier build", "broken", "of no encoding", "none"],
)
def test_a_red_build_names_the_first_failed_test(
    start_queue: StartQueue, repository: Repository, write: str, said: str
) -> None:
    ci = start_queue()
    script = f"mkdir build && cp report.xml old.xml && touch -d 2020-01-01 old.xml && {write}; exit 1"
    post = "post { always { junit 'build/junit.xml, build/*.xml,' } }"
    jenkinsfile = pipeline(f"test: {script}").replace("steps {", f"{post}\n steps {{")
    _, detail = build(ci, repository, {"Jenkinsfile": jenkinsfile, "report.xml": JUNIT})
    assert detail.startswith("stage test: exit 1")
    assert detail.partition("; failed")[1:] == said.partition("; failed")[1:]


def test_only_main_goes_on(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    state, detail = build(ci, repository, FILES, "feature/x")
    assert (state, detail.startswith("2 stages in ")) == ("success", True)
    assert [stage.state for stage in ci.store.stages(NAME, 1)] == ["passed", "passed", "skipped"]
    assert "delivered" not in log_of(ci, NAME)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"Makefile": MAKEFILE}, "There is no Jenkinsfile"),
        ({"Jenkinsfile": ""}, "The Jenkinsfile is empty"),
        ({"Jenkinsfile": "pipeline {\n agent any\n"}, "Jenkinsfile line 1: the brace '{'"),
        ({"Jenkinsfile": "node { }"}, "Jenkinsfile line 1: found 'node'"),
    ],
)
def test_a_jenkinsfile_that_cannot_be_read_is_red(
    start_queue: StartQueue, repository: Repository, files: dict[str, str], reason: str
) -> None:
    ci = start_queue()
    state, detail = build(ci, repository, files)
    assert state == "failure"
    assert detail.startswith(reason)
    assert reason in log_of(ci, NAME)


def test_builds_of_a_repository_run_in_order(
    start_queue: StartQueue, repository: Repository, tmp_path: Path
) -> None:
    ci = start_queue()
    shas = []
    for number in range(4):
        note = f"echo start {number} >> {tmp_path}/order; sleep 0.1; echo end {number} >> {tmp_path}/order"
        shas.append(repository.push_files({"Jenkinsfile": pipeline(f"a: {note}")}, ref=f"b{number}"))
    for number, sha in enumerate(shas):
        submit(ci, repository, sha, f"b{number}")
    finished(ci, NAME, 4)
    expected = [f"{word} {number}" for number in range(4) for word in ("start", "end")]
    assert (tmp_path / "order").read_text().splitlines() == expected


def test_repositories_are_built_at_the_same_time(
    start_queue: StartQueue, make_repository: Callable[[str], Repository], tmp_path: Path
) -> None:
    ci = start_queue()
    pair = {"one": "two", "two": "one"}
    for name, other in pair.items():
        meet = f"touch {tmp_path}/{name}; until [ -e {tmp_path}/{other} ]; do sleep 0.05; done"
        repository = make_repository(name)
        submit(ci, repository, repository.push_files({"Jenkinsfile": pipeline(f"meet: {meet}")}))
    assert [finished(ci, name).state for name in pair] == ["success", "success"]


def test_no_more_builds_run_at_once_than_there_are_places(
    start_queue: StartQueue,
    make_repository: Callable[[str], Repository],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ci.queue.AT_ONCE", 1)
    ci = start_queue()
    for name in ("one", "two"):
        note = f"echo start >> {tmp_path}/order; sleep 0.2; echo end >> {tmp_path}/order"
        repository = make_repository(name)
        submit(ci, repository, repository.push_files({"Jenkinsfile": pipeline(f"note: {note}")}))
    assert [finished(ci, name).state for name in ("one", "two")] == ["success", "success"]
    assert (tmp_path / "order").read_text().split() == ["start", "end", "start", "end"]


def test_a_step_gets_exactly_the_environment_of_the_seam(
    start_queue: StartQueue, repository: Repository, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRAY", "not for builds")
    ci = start_queue()
    build(ci, repository, {"Jenkinsfile": pipeline("env: env", extra="environment { OWN = 'literal $X' }")})
    pairs = [
        line.split("=", 1) for line in log_of(ci, NAME).splitlines() if "=" in line and line[0].isupper()
    ]
    env = dict(pairs)
    shell_own = {"PWD", "OLDPWD", "SHLVL", "_"}
    machine = set(settings.machine) | {"PATH"}
    loop = {"ORGANISATION", "STATUS_USER", "STATUS_TOKEN", "DATA_URL"}
    of_build = {
        "CI",
        "GIT_COMMIT",
        "GIT_BRANCH",
        "BRANCH_NAME",
        "JOB_NAME",
        "BUILD_NUMBER",
        "BUILD_URL",
        "WORKSPACE",
    }
    assert set(env) - shell_own == machine | loop | of_build | {"OWN"}
    assert env["OWN"] == "literal $X"
    assert env["DATA_URL"] == "file:///data here"
    assert env["BUILD_URL"] == f"{settings.web_url}/job/{NAME}/1/"
    assert env["STATUS_TOKEN"] == "****"


def test_ci_is_on_the_path_of_a_step(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    assert build(ci, repository, {"Jenkinsfile": pipeline("a: ci --help")})[0] == "success"


def test_only_the_environment_survives_in_the_workspace(
    start_queue: StartQueue, repository: Repository
) -> None:
    ci = start_queue()
    script = "if [ -d .venv ]; then test ! -e junk; else mkdir .venv; touch .venv/kept junk; fi"
    build(ci, repository, {"Jenkinsfile": pipeline(f"a: {script}"), ".gitignore": ".venv\njunk\n"})
    assert build(ci, repository, {"other": "x"})[0] == "success"
    workspace = ci.settings.workspace(NAME)
    assert (workspace / ".venv" / "kept").exists()
    assert not (workspace / "junk").exists()


def test_exactly_the_pushed_commit_is_built(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    jenkinsfile = pipeline("a: cat word; git rev-parse HEAD")
    first = repository.push_files({"Jenkinsfile": jenkinsfile, "word": "first\n"})
    repository.push_files({"word": "second\n"})
    submit(ci, repository, first)
    finished(ci, NAME)
    assert f"first\n+ git rev-parse HEAD\n{first}\n" in log_of(ci, NAME)


def test_a_broken_workspace_is_made_anew(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    build(ci, repository, FILES)
    (ci.settings.workspace(NAME) / ".git" / "index.lock").touch()
    assert build(ci, repository, {"more": "x"})[0] == "success"


def test_a_stage_that_does_not_end_is_aborted_with_its_children(
    start_queue: StartQueue, repository: Repository, tmp_path: Path
) -> None:
    ci = start_queue(stage_timeout=1)
    makefile = f"a:\n\t@(sleep 2.5; touch {tmp_path}/late) & sleep 60\n"
    started = time.monotonic()
    state, detail = build(ci, repository, {"Jenkinsfile": pipeline("a: make a"), "Makefile": makefile})
    assert (state, detail) == ("aborted", "stage a: no end after 1 s")
    time.sleep(max(0, 3 - (time.monotonic() - started)))
    assert not (tmp_path / "late").exists()


def test_timeouts_of_the_jenkinsfile_count(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    step = "timeout(time: 1, unit: 'SECONDS') { sh 'sleep 60' }"
    whole = "options { timeout(time: 1, unit: 'SECONDS') }"
    jenkinsfile = pipeline("a: true").replace("sh '''true'''", step)
    assert build(ci, repository, {"Jenkinsfile": jenkinsfile})[0] == "aborted"
    assert build(ci, repository, {"Jenkinsfile": pipeline("a: sleep 60", extra=whole)})[0] == "aborted"


def test_what_a_step_leaves_running_is_ended_and_not_waited_for(
    start_queue: StartQueue, repository: Repository, tmp_path: Path
) -> None:
    ci = start_queue()
    left = f"(sleep 2; touch {tmp_path}/late) & echo started"
    started = time.monotonic()
    assert build(ci, repository, {"Jenkinsfile": pipeline(f"a: {left}")})[0] == "success"
    assert time.monotonic() - started < 2
    time.sleep(2.2)
    assert not (tmp_path / "late").exists()


def test_retry_and_post_run_as_written(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    jenkinsfile = """pipeline {
        agent any
        stages {
            stage('flaky') {
                steps { retry(3) { sh 'echo x >> tries; test $(wc -l < tries) -ge 2' } }
                post { success { echo 'stage is green' } }
            }
            stage('red') {
                steps { sh 'echo this is why; false' }
                post { always { sh 'exit 9' } }
            }
        }
        post { always { echo 'always' } success { echo 'never' } failure { echo 'on failure' } }
    }"""
    jenkinsfile = jenkinsfile.replace("} success", "}\n success").replace("} failure", "}\n failure")
    state, detail = build(ci, repository, {"Jenkinsfile": jenkinsfile})
    assert (state, detail) == ("failure", "stage red: exit 1: this is why")
    log = log_of(ci, NAME)
    assert "attempt 1 of 3 failed" in log
    assert "stage is green" in log
    assert "\nalways\non failure\n" in log
    assert "never" not in log


def test_names_from_a_push_never_reach_a_shell_line(
    start_queue: StartQueue, repository: Repository, tmp_path: Path
) -> None:
    ci = start_queue()
    trap = f"{tmp_path}/trap"
    branch = "x;touch${IFS}" + trap.replace("/", "%") + "&&`touch${IFS}y`$(touch${IFS}z)|'\"<b>"
    files = {
        "Jenkinsfile": pipeline('a: test "$BRANCH_NAME" = "$GIT_BRANCH" && printf "%s\\n" "$BRANCH_NAME"')
    }
    sha = repository.commit(files, f"$(touch {trap}) `touch {trap}`; touch {trap}\n\n'\"<script>")
    git(repository.work, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    submit(ci, repository, sha, branch)
    assert finished(ci, NAME).state == "success"
    assert f"\n{branch}\n" in log_of(ci, NAME)
    assert not Path(trap).exists()
    assert sorted(path.name for path in ci.settings.workspace(NAME).iterdir()) == [".git", "Jenkinsfile"]


def test_old_builds_are_removed_with_their_logs(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue(keep_builds=2)
    for number in range(4):
        build(ci, repository, {"Jenkinsfile": pipeline("a: true"), "n": str(number)})
    wait_for(lambda: not ci.settings.log(NAME, 2).exists())
    assert [found.number for found in ci.store.builds(NAME)] == [4, 3]
    assert not ci.settings.log(NAME, 1).exists()
    assert build(ci, repository, {"n": "5"})[0] == "success"
    assert ci.store.builds(NAME)[0].number == 5


def test_missed_pushes_are_built_at_the_start(start_queue: StartQueue, repository: Repository) -> None:
    main = repository.push_files(FILES)
    feature = repository.push_files({"more": "x"}, ref="feature")
    ci = start_queue()
    for number in (1, 2):
        finished(ci, NAME, number)
    assert {found.sha for found in ci.store.builds(NAME)} == {main, feature}


def test_a_branch_that_is_set_back_is_built_again(start_queue: StartQueue, repository: Repository) -> None:
    ci = start_queue()
    first, second = repository.push_files(FILES), repository.push_files({"more": "x"})
    pushed = [ci.queue.submit(NAME, "refs/heads/main", sha) for sha in (first, second, first, first)]
    assert [build.number for build in pushed] == [1, 2, 3, 3]
    assert finished(ci, NAME, 3).sha == first


def test_a_push_that_was_built_is_not_built_at_the_next_start(
    start_queue: StartQueue, repository: Repository
) -> None:
    first = start_queue()
    build(first, repository, FILES)
    first.queue.stop()
    missed = repository.push_files({"more": "x"})
    second = start_queue()
    finished(second, NAME, 2)
    assert second.store.builds(NAME)[0].sha == missed
    assert len(second.store.builds(NAME)) == 2


def test_main_is_built_where_only_a_branch_had_the_commit(
    start_queue: StartQueue, repository: Repository
) -> None:
    first = start_queue()
    build(first, repository, FILES, "feature")
    first.queue.stop()
    git(repository.work, "push", "--quiet", "origin", "HEAD:main")
    second = start_queue()
    assert finished(second, NAME, 2).branch == "main"
    assert "delivered" in log_of(second, NAME, 2)


def test_queued_builds_wait_for_the_next_start(
    start_queue: StartQueue, repository: Repository, settings: ServerSettings
) -> None:
    sha = repository.push_files(FILES)
    stopped: Ci = create_app(settings).extensions["ci"]
    submit(stopped, repository, sha)
    ci = start_queue()
    assert finished(ci, NAME).state == "success"


def test_a_missing_loop_env_is_a_red_build(
    start_queue: StartQueue, repository: Repository, tmp_path: Path
) -> None:
    ci = start_queue(loop_env=tmp_path / "nowhere")
    state, detail = build(ci, repository, FILES)
    assert state == "failure"
    assert "LOOP_ENV" in detail


def test_a_mistake_inside_ci_ends_the_build_and_not_the_thread(
    start_queue: StartQueue, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    ci = start_queue()
    with monkeypatch.context() as broken:
        broken.setattr("ci.jenkinsfile.parse", lambda _text: 1 / 0)
        sha = repository.push_files(FILES)
        submit(ci, repository, sha)
        assert finished(ci, NAME).detail == "CI itself failed: division by zero"
    assert ci.statuses.latest(NAME, sha)[0].state == "error"
    assert build(ci, repository, {"more": "x"})[0] == "success"


def test_the_last_status_is_posted_before_the_build_is_finished(
    start_queue: StartQueue, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    ci = start_queue()
    seen: list[str] = []
    finish = ci.store.finish_build

    def look_and_finish(*arguments: Any) -> None:
        seen.append(descriptions(ci, arguments[0].sha)[-1])
        finish(*arguments)

    monkeypatch.setattr(ci.store, "finish_build", look_and_finish)
    build(ci, repository, FILES)
    monkeypatch.setattr("ci.jenkinsfile.parse", lambda _text: 1 / 0)
    submit(ci, repository, repository.push_files({"more": "x"}))
    wait_for(lambda: ci.store.build(NAME, 2).result)
    assert [said.split()[0] for said in seen] == ["success:", "error:"]


def test_a_push_whose_hook_did_not_get_through_is_built_while_the_server_runs(
    start_queue: StartQueue, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci.queue.SECONDS_BETWEEN_LOOKS", 0.1)
    ci = start_queue()
    for number in (1, 2):
        sha = repository.push_files({**FILES, "n": str(number)})
        assert finished(ci, NAME, number).sha == sha
    assert len(ci.store.builds(NAME)) == 2


def test_looking_for_missed_pushes_outlives_an_error_and_ends_at_once(
    start_queue: StartQueue, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci.queue.SECONDS_BETWEEN_LOOKS", 0.1)
    ci = start_queue()
    looked = threading.Event()

    def fail() -> list[str]:
        looked.set()
        raise OSError("no disk")

    with monkeypatch.context() as broken:
        broken.setattr(type(ci.repositories), "names", lambda _self: fail())
        assert looked.wait(5)
    repository.push_files(FILES)
    assert finished(ci, NAME).state == "success"
    monkeypatch.setattr("ci.queue.SECONDS_BETWEEN_LOOKS", 60.0)
    time.sleep(0.3)
    started = time.monotonic()
    ci.queue.stop()
    assert time.monotonic() - started < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "missed-pushes"]
