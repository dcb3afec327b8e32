"""Checks of CI by its published address: what it takes and refuses, its jobs, what it says of commits."""

import json
import secrets
from datetime import UTC, datetime, timedelta

from sandbox.doctor.check import Broken, Case
from sandbox.settings import ORGANISATION, REPOSITORIES
from sandbox.steps.git_wiring import CHECK

AGENT = "jenkins-agent"  # as jenkins/casc/agents.yaml names it
# A tag starts no build, and no repository has this commit.
REF, COMMIT = "refs/tags/doctor", f"{1:040x}"
STALE = timedelta(minutes=75)  # as services/ci/ci/catch_up.py has it


def signed_push(case: Case) -> str:
    """A delivery with the secret of .env is understood for each repository; for a tag nothing is built."""
    for name in REPOSITORIES:
        status, job = _deliver(case, name, case.settings.ci_webhook_secret)
        if status == 403:
            raise Broken("CI does not know the signature of CI_WEBHOOK_SECRET (answered 403)")
        if status == 404:
            raise Broken(f"no job takes the pushes of {name} (answered 404)")
        if status != 200 or not job:
            raise Broken(f"CI answered {status} to a push of {name}, and names no job")
        if job.get("triggered"):
            raise Broken(f"CI takes a tag of {name} for a branch, and queued a build")
    return f"answered 200 for {', '.join(REPOSITORIES)}; a tag starts no build"


def bad_signature(case: Case) -> str:
    """A delivery with another secret is not even read."""
    status, _ = _deliver(case, REPOSITORIES[0], secrets.token_hex())
    if status != 403:
        raise Broken(
            f"CI answered {status} to a push that is wrongly signed, not 403: anybody can start builds"
        )
    return "answered 403"


def jobs(case: Case) -> str:
    """Each repository has its job, which may build and has built."""
    return ", ".join(_job(case, name) for name in REPOSITORIES)


def statuses(case: Case) -> str:
    """The head of each main branch was delivered and CI has answered lately: with whatever verdict."""
    return ", ".join(_status(case, name) for name in REPOSITORIES)


def agent(case: Case) -> str:
    """Jenkins has its agent."""
    found = case.ci.agent(AGENT)
    if not found:
        raise Broken(f"Jenkins knows no agent {AGENT}", "Run: make logs SERVICE=jenkins")
    if found["offline"]:
        raise Broken(f"{AGENT} is offline: {found.get('offlineCauseReason') or 'Jenkins does not say why'}")
    return f"{AGENT} is online"


def _deliver(case: Case, name: str, secret: str) -> tuple[int, dict[str, object]]:
    endpoints = case.context.endpoints
    payload = {
        "ref": REF,
        "before": COMMIT,
        "after": COMMIT,
        "repository": {"name": name, "full_name": f"{ORGANISATION}/{name}", "owner": {"login": ORGANISATION}},
    }
    path = endpoints.hook_url.removeprefix(endpoints.ci.inside)
    return case.ci.deliver(path, name, json.dumps(payload).encode(), secret)


def _job(case: Case, name: str) -> str:
    job = case.ci.job(name)
    if not job:
        raise Broken(f"there is no job {name}")
    if not job.get("buildable", True):
        raise Broken(
            f"the job {name} is disabled", f"Enable it: {case.context.endpoints.ci.outside}/job/{name}/"
        )
    last = job["lastBuild"]
    if not last:
        raise Broken(f"the job {name} has never built: no push has reached it")
    return f"{name} #{last['number']} {last['result'] or 'is building'}"


def _status(case: Case, name: str) -> str:
    found = case.context.statuses.of(name, "main")
    said = [row for row in found[1] if row["context"] == CHECK] if found else []
    if not said:
        raise Broken(f"the head of {name} has no status {CHECK}: its push has not reached CI, or CI not Git")
    state = said[-1]["status"]
    if state == "pending" and _age(datetime.fromisoformat(said[-1]["created_at"])) > STALE:
        raise Broken(
            f"the head of {name} is pending for more than {STALE.seconds // 60} minutes: nobody builds it"
        )
    return f"{name} {state}"


def _age(when: datetime) -> timedelta:
    return datetime.now(UTC) - when
