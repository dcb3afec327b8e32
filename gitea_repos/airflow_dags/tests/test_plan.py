import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loop.errors import Failure, Unreachable
from loop.plan import plan
from loop.repeat import repeated
from loop.run import Run


@pytest.fixture
def commits(repository: Callable[[str], Any], statuses: Any) -> dict[str, list[str]]:
    """Two repositories of three green commits each, the oldest first."""
    made = {}
    for name in ("model_training", "data_preprocessing"):
        bare = repository(name)
        made[name] = [bare.commit(word) for word in ("one", "two", "three")]
        for commit in made[name]:
            statuses.set(commit, "ci", "success")
            statuses.set(commit, "image", "success", f"image-{commit[:4]}")
    return made


def with_conf(run: Run, **conf: Any) -> Run:
    return replace(run, conf=conf)


def test_without_conf_the_newest_green_commits_are_used(run: Run, commits: dict[str, list[str]]) -> None:
    values = plan(run).values
    newest = commits["model_training"][2]
    assert (values["code_commit"], values["code_image"]) == (newest, f"image-{newest[:4]}")
    assert values["data_commit"] == commits["data_preprocessing"][2]
    assert (values["dag_commit"], values["reason"], values["promote"]) == ("d" * 40, "manual", "auto")


@pytest.mark.parametrize("state", ["failure", "pending"])
def test_a_commit_that_is_not_green_is_passed_over(
    run: Run, commits: dict[str, list[str]], statuses: Any, state: str
) -> None:
    statuses.set(commits["model_training"][2], "ci", state)
    assert plan(run).values["code_commit"] == commits["model_training"][1]


def test_a_build_that_still_runs_is_said_and_waited_for(
    run: Run, commits: dict[str, list[str]], statuses: Any
) -> None:
    head = commits["model_training"][2]
    statuses.set(head, "ci", "pending")
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        statuses.set(head, "ci", "success")

    patient = replace(run, limits=replace(run.limits, waits=replace(run.limits.waits, ci=60)), say=say)
    assert plan(patient).values["code_commit"] == head
    assert said == [f"waits for the build of model_training {head[:12]}"]


def test_what_was_pushed_is_used_with_its_image(run: Run, commits: dict[str, list[str]]) -> None:
    pushed = commits["data_preprocessing"][0]
    conf = {
        "reason": "push",
        "repository": "data_preprocessing",
        "commit": pushed,
        "image": "just-built",
        "build": "b",
    }
    values = plan(with_conf(run, **conf)).values
    assert (values["data_commit"], values["data_image"], values["build"]) == (pushed, "just-built", "b")
    assert values["code_commit"] == commits["model_training"][2]


@pytest.mark.parametrize("below", [True, False], ids=["dvc.lock on top", "dvc.lock there already"])
def test_a_historical_data_version_leads_to_the_commit_its_tag_names(
    run: Run, commits: dict[str, list[str]], repository: Callable[[str], Any], below: bool
) -> None:
    bare = repository("data_preprocessing")
    tree = bare.git("rev-parse", "main^{tree}")
    made = commits["data_preprocessing"][0]
    lock = bare.git("commit-tree", tree, "-m", "dvc.lock", "-p", made)
    tagged = lock if below else made
    bare.git("tag", "-a", "-m", f"Data version\n\ndata commit: {made}\nrows: 9", "DV_0123456789ab", tagged)
    values = plan(with_conf(run, data_version="0123456789ab")).values
    assert values["data_commit"] == made
    with pytest.raises(Failure, match=f"was made from {made}, not from the data_commit"):
        plan(with_conf(run, data_version="0123456789ab", data_commit=lock))
    assert (values["data_version"], values["insists"]) == ("0123456789ab", True)


def test_a_tag_that_names_no_data_commit_is_a_clear_failure(
    run: Run, commits: dict[str, list[str]], repository: Callable[[str], Any]
) -> None:
    bare = repository("data_preprocessing")
    bare.git("tag", "-a", "-m", "by hand", "DV_0123456789ab", commits["data_preprocessing"][0])
    with pytest.raises(Failure, match="names no data commit"):
        plan(with_conf(run, data_version="0123456789ab"))
    with pytest.raises(Failure, match="has no refs/tags/DV_ffffffffffff"):
        plan(with_conf(run, data_version="f" * 12))


def test_a_head_without_any_status_yet_is_given_a_moment(
    run: Run, commits: dict[str, list[str]], statuses: Any
) -> None:
    head = commits["model_training"][2]
    kept = statuses.posted.pop(head)
    done = threading.Timer(0.3, statuses.posted.update, ({head: kept},))
    done.start()
    patient = replace(run, limits=replace(run.limits, waits=replace(run.limits.waits, ci=5)))
    assert plan(patient).values["code_commit"] == head
    done.join()


def test_no_green_commit_is_a_clear_failure(run: Run, commits: dict[str, list[str]], statuses: Any) -> None:
    for commit in commits["model_training"]:
        statuses.set(commit, "ci", "failure")
    with pytest.raises(Failure, match="none of the last 3 commits of model_training main has a green build"):
        plan(run)


@pytest.mark.parametrize("conf", [{"code_commit": "main"}, {"data_version": "1"}, {"code_commit": 7}])
def test_a_malformed_conf_is_a_clear_failure(run: Run, conf: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="in the run's conf is"):
        plan(with_conf(run, **conf))


def test_an_absent_repository_is_tried_again(run: Run) -> None:
    with pytest.raises(Unreachable, match=r"git fetch for .*model_training\.git ended with 128: fatal: "):
        plan(run)


@pytest.mark.usefixtures("commits")
def test_promotion_follows_the_setting_unless_conf_says_otherwise(run: Run) -> None:
    assert plan(with_conf(run, promote="manual")).values["promote"] == "manual"
    manual = replace(run, settings=replace(run.settings, promotion="manual"))
    assert plan(manual).values["promote"] == "manual"
    assert plan(with_conf(manual, promote=False)).values["promote"] == "no"


DONE = {"code_commit": "c", "data_commit": "d", "dag_commit": "g", "data_version": "v", "image": "i"}
PLAN = {"reason": "push", "code_commit": "c", "data_commit": "d", "dag_commit": "g", "code_image": "i"}


@pytest.mark.parametrize("ended", ["passed", "rejected"])
def test_a_push_of_what_has_been_through_the_loop_trains_nothing(run: Run, registry: Any, ended: str) -> None:
    registry.runs["r"] = DONE | {"loop_state": ended, "loop_run_id": "push-1"}
    said = repeated(run, PLAN, {"data_version": "v"})
    assert said == f"nothing to do: the same code, data, image and DAGs {ended} in push-1"


@pytest.mark.parametrize(
    ("plan_values", "tags"),
    [
        (PLAN | {"reason": "schedule"}, {"loop_state": "passed"}),
        (PLAN | {"reason": "data"}, {"loop_state": "passed"}),
        (PLAN, {}),
        (PLAN, {"loop_state": "passed", "image": "other"}),
        (PLAN, {"loop_state": "passed", "loop_run_id": "manual-1"}),
        (PLAN, {"loop_state": "failed", "loop_run_id": "push-1"}),
    ],
    ids=["schedule", "data", "has not ended", "another image", "this very run", "failed"],
)
def test_anything_else_trains(
    run: Run, registry: Any, plan_values: dict[str, str], tags: dict[str, str]
) -> None:
    registry.runs["r"] = DONE | tags
    assert repeated(run, plan_values, {"data_version": "v"}) == ""
