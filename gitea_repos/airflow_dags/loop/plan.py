"""`plan`: which commits, images and mode this run of the loop uses."""

import re
from dataclasses import dataclass

from loop import wait
from loop.errors import Failure
from loop.git import Clone
from loop.run import Outcome, Run
from loop.statuses import Status, Statuses

CODE, DATA = "model_training", "data_preprocessing"
DATA_COMMIT = re.compile(r"^data commit: ([0-9a-f]{40})$", re.MULTILINE)  # a line of a data version's tag
HOOK_SECONDS = 5.0  # until CI has said of a pushed commit that it builds it


@dataclass(frozen=True)
class Source:
    """A commit of one repository, and the image CI built of it."""

    commit: str
    image: str


def plan(run: Run) -> Outcome:
    """Settle what was asked for, and fill the rest with the newest commits whose build is green."""
    chosen, version = run.commit("code_commit"), run.data_version()
    statuses = Statuses(run.settings)
    code = source(run, statuses, CODE, chosen)
    data = source(run, statuses, DATA, historical_data_commit(run))
    values = {
        "run_id": run.run_id,
        "reason": run.reason,
        "code_commit": code.commit,
        "code_image": code.image,
        "data_commit": data.commit,
        "data_image": data.image,
        "data_version": version,
        "dag_commit": run.dag_commit,
        "build": run.conf.get("build") or "",
        "promote": promotion(run),
        "insists": insists(run),
        "pushed": run.conf.get("repository") or "",
    }
    detail = f"code {code.commit[:12]}, data {data.commit[:12]}, because of {run.reason}"
    return Outcome("passed", detail, values)


def promotion(run: Run) -> str:
    """`no`, `manual` or `auto`: what `promote` is to do."""
    asked = run.conf.get("promote")
    if asked is False:
        return "no"
    return "manual" if asked == "manual" else run.settings.promotion


def insists(run: Run) -> bool:
    """Whether an ancestor of the champion is wanted on purpose: forced, or chosen by hand."""
    chosen = run.conf.get("code_commit") or run.conf.get("data_version") or run.conf.get("data_commit")
    return bool(run.conf.get("force") or chosen)


def historical_data_commit(run: Run) -> str:
    """The data commit asked for, by itself or by its data version; empty where the newest is wanted."""
    commit, version = run.commit("data_commit"), run.data_version()
    if not version:
        return commit
    with Clone(run.settings.repository(DATA)) as clone:
        # The tagged commit does not say it: it is the data commit itself where that holds dvc.lock already.
        found = DATA_COMMIT.search(clone.tag_text(f"DV_{version}"))
    if not found:
        raise Failure(f"the tag DV_{version} of {DATA} names no data commit: {DATA} did not make it")
    if commit and commit != found[1]:
        made = f"data version {version} was made from {found[1]}, not from the data_commit {commit}"
        raise Failure(f"{made}: leave one of them out of the run's conf")
    return found[1]


def source(run: Run, statuses: Statuses, repository: str, chosen: str) -> Source:
    """The commit of a repository to use and its image: chosen by hand, just pushed, or the newest green."""
    pushed = run.commit("commit") if run.conf.get("repository") == repository else ""
    if chosen and chosen != pushed:
        return Source(chosen, _image(statuses.of(repository, chosen), repository, chosen))
    if pushed:
        image = run.conf.get("image") or _image(statuses.of(repository, pushed), repository, pushed)
        return Source(pushed, image)
    return newest_green(run, statuses, repository)


def newest_green(run: Run, statuses: Statuses, repository: str, patient: bool = True) -> Source:
    """The newest commit that CI has built; `patient` waits for a build that still runs. Raises Failure."""
    with Clone(run.settings.repository(repository)) as clone:
        commits = clone.newest(run.limits.history_commits)
    if patient:
        _wait_for_build(run, statuses, repository, commits[0])
    for commit in commits:
        found = statuses.of(repository, commit)
        if _state(found) == "success" and "image" in found:
            return Source(commit, found["image"].description)
    looked = f"none of the last {len(commits)} commits of {repository} main has a green build with an image"
    raise Failure(f"{looked}: mend its build or push a commit, then start the loop again")


def _wait_for_build(run: Run, statuses: Statuses, repository: str, commit: str) -> None:
    """Wait while the build of the head still runs; after the limit the commits before it are good enough.

    A head that was pushed a moment ago has no status yet; one whose hook was missed never gets it.
    """
    waits, every = run.limits.waits, max(run.limits.waits.every, 1.0)
    state = wait.until(lambda: _state(statuses.of(repository, commit)), min(HOOK_SECONDS, waits.ci), every)
    if state == "pending":
        run.say(f"waits for the build of {repository} {commit[:12]}")
        wait.until(lambda: _state(statuses.of(repository, commit)) != "pending", waits.ci, every)


def _state(found: dict[str, Status]) -> str:
    return found["ci"].state if "ci" in found else ""


def _image(found: dict[str, Status], repository: str, commit: str) -> str:
    if "image" not in found:
        sentence = f"the commit {commit} of {repository} has no image, for it has no status `image`"
        raise Failure(f"{sentence}: push it to main again so that CI builds it")
    return found["image"].description
