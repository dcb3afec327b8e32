"""`sandbox run`: the loop with the newest commits, or with an old code commit or data version."""

import re
from typing import Any

from sandbox import console
from sandbox.by_hand import next_run_id
from sandbox.context import Context
from sandbox.data_versions import find_data_version
from sandbox.errors import LoopError
from sandbox.model_versions import find_version
from sandbox.receipt import DAG
from sandbox.reference import VERSION
from sandbox.settings import CODE

CODE_REF = re.compile(r"[0-9a-f]{7,40}|CV_[0-9a-f]{12}_DV_[0-9a-f]{12}")
NEWEST = {"code_commit": f"the newest green one of {CODE}", "data_version": "made anew from the raw data"}


def conf_of_run(context: Context, code: str, data: str, reason: str, promote: bool) -> dict[str, Any]:
    """The run's conf, with what was named found and checked. Raises LoopError."""
    conf: dict[str, Any] = {"reason": reason}
    if code:
        conf["code_commit"] = _code_commit(context, code)
    if data:
        conf["data_version"] = find_data_version(context, data)
    return conf if promote else {**conf, "promote": False}


def planned(context: Context, conf: dict[str, Any]) -> dict[str, Any]:
    """What would be started, as `--dry-run` says it."""
    return {"dag": DAG, "run_id": next_run_id(context), "conf": conf}


def show_planned(plan: dict[str, Any]) -> None:
    """The same for people."""
    console.say(f"{plan['dag']} would start as {plan['run_id']} with:")
    conf = {**NEWEST, "promote": "as PROMOTION in .env says", **plan["conf"]}
    console.show(console.table(["Conf", "Value"], [[key, str(value)] for key, value in conf.items()]))


def _code_commit(context: Context, given: str) -> str:
    """The commit that a commit, its tag or a model version means; CI has an image of it."""
    if VERSION.fullmatch(given):
        given = find_version(context, given)["tags"].get("code_commit", given)
    found = context.statuses.of(CODE, given) if CODE_REF.fullmatch(given) else None
    if not found:
        raise LoopError(
            f"{CODE} has no commit {given!r}, and no model version is called so.",
            "Give a commit (7 to 40 hex digits), a tag CV_…_DV_…, or a model version: 3 or iris/3",
        )
    commit, statuses = found
    if not any(row["context"] == "image" for row in statuses):
        raise LoopError(
            f"CI made no image of {CODE} {commit[:12]}: its build is red, or it was not built by itself.",
            f"See its build: make trace REF={commit[:12]}. Mend it with a commit, or choose another one",
        )
    return commit
