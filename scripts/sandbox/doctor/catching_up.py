"""Check of the job of Jenkins that makes up for lost deliveries: whether it works, and whether it has to."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.doctor.check import Broken, Case

JOB = "missed-pushes"  # as jenkins/jobs/missed_pushes.groovy names it
RECENT = timedelta(minutes=15)  # three times its schedule
BUILDS = 4  # that it may have had within that time: one more when Jenkins starts
SENT = re.compile(r"\bsent again: (\d+)")  # what `ci catch-up` says last
FAULT = re.compile(r"\bci: (.+)")  # why it failed
GITEA = "Gitea tells why a delivery failed: make logs SERVICE=gitea"


def missed_pushes(case: Case) -> str:
    """The job works, and had nothing to do: what it sends is a delivery that got lost."""
    job = case.ci.newest_builds(JOB, BUILDS)
    if not job:
        raise Broken(f"there is no job {JOB}")
    if not job["buildable"]:
        page = f"{case.context.endpoints.ci.outside}/job/{JOB}/"
        raise Broken(f"the job {JOB} is disabled: what gets lost is not built", f"Enable it: {page}")
    ended = [build for build in job["builds"] if _is_recent(build) and build["result"]]
    if not ended:
        raise Broken(f"{JOB} has not ended once within {RECENT.seconds // 60} minutes")
    logs = {build["number"]: case.ci.log(JOB, build["number"]) for build in ended}
    _check_result(ended[0], logs[ended[0]["number"]])
    if sent := sum(_sent(log) for log in logs.values()):
        raise Broken(f"{JOB} had to send {sent} pushes again: their deliveries got lost", GITEA)
    return f"#{ended[0]['number']} {ended[0]['result']}; nothing was sent again lately"


def _is_recent(build: dict[str, Any]) -> bool:
    return datetime.now(UTC) - datetime.fromtimestamp(build["timestamp"] / 1000, UTC) < RECENT


def _check_result(build: dict[str, Any], log: str) -> None:
    if build["result"] == "SUCCESS":
        return
    said = FAULT.findall(log)
    cause = said[-1] if said else "its log has no word of ci catch-up"
    raise Broken(f"{JOB} #{build['number']} ended {build['result']}: {cause}")


def _sent(log: str) -> int:
    said = SENT.findall(log)
    return int(said[-1]) if said else 0
