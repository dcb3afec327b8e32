"""The loop's four statuses on a commit, `data train gate served`, as its tasks begin and end."""

from typing import Any

from loop.plan import CODE, DATA
from loop.run import Run
from loop.statuses import Statuses

# Task, the context it reports to, and whether its success is that context's success.
REPORTS = {
    "plan": ("data", False),
    "data": ("data", True),
    "train": ("train", True),
    "gate": ("gate", True),
    "register": ("served", False),
    "tag": ("served", False),
    "promote": ("served", False),
    "serve": ("served", False),
    "verify": ("served", True),
}
STATES = {"failed": "failure", "rejected": "failure", "waiting": "pending", "skipped": "success"}


def announce(run: Run, plan: dict[str, Any], task: str, state: str, detail: str) -> None:
    """Tell the run's commits how a task stands; never stops the loop."""
    if task not in REPORTS:  # of a DAG that is about no commit
        return
    context, closes = REPORTS[task]
    word = STATES.get(state, "success" if state == "passed" and closes else "pending")
    statuses = Statuses(run.settings)
    for repository, commit in commits(run, plan):
        statuses.post(repository, commit, context, word, f"{task}: {detail or state}", run.url)


def commits(run: Run, plan: dict[str, Any]) -> list[tuple[str, str]]:
    """The commits that hear of this run: the code commit, and the data commit where data is the reason."""
    if not plan.get("code_commit"):
        repository, commit = run.conf.get("repository"), run.conf.get("commit")
        return [(repository, commit)] if repository and commit else []
    found = [(CODE, plan["code_commit"])]
    if plan.get("data_commit") and (run.reason == "data" or plan.get("pushed") == DATA):
        found.append((DATA, plan["data_commit"]))
    return found
