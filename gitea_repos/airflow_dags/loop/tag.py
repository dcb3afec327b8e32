"""`tag`: the annotated tag CV_<code>_DV_<data> that says that a commit is registered with that data."""

from typing import Any

from loop.git import Clone
from loop.plan import CODE
from loop.run import Outcome, Run


def tag(
    run: Run, plan: dict[str, Any], data: dict[str, Any], train: dict[str, Any], register: dict[str, Any]
) -> Outcome:
    """Push the tag to the code commit; the same tag there already is fine, and no tag is ever moved."""
    name = tag_name(plan["code_commit"], data["data_version"])
    message = tag_message(run.run_id, register, data["data_version"], train)
    with Clone(run.settings.repository(CODE)) as clone:
        new = clone.push_tag(name, plan["code_commit"], message)
    return Outcome("passed", name if new else f"{name} was there already", {"tag": name})


def tag_name(code_commit: str, data_version: str) -> str:
    """The name of the tag of a code commit and a data version."""
    return f"CV_{code_commit[:12]}_DV_{data_version[:12]}"


def tag_message(run_id: str, register: dict[str, Any], data_version: str, train: dict[str, Any]) -> str:
    """What the tag says: model version, data, run and metrics."""
    metrics = [f"{name}: {value:.6g}" for name, value in sorted(train["metrics"].items())]
    head = f"{register['name']} version {register['version']}"
    return "\n".join([head, "", f"data version: {data_version}", f"run: {run_id}", *metrics, ""])
