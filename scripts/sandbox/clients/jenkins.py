"""Jenkins over HTTP, without a login: its jobs and agents, and the hook that takes signed pushes.

services/ci answers the same routes but that of the agents. Addresses: https://www.jenkins.io/doc/book/using/remote-access-api/
and https://plugins.jenkins.io/generic-webhook-trigger/.
"""

import hashlib
import hmac
import json
from typing import Any

from sandbox.http import ApiError, Http

SIGNATURE = "X-Gitea-Signature"
JOB = "buildable,lastBuild[number,result,building]"
BUILDS = "buildable,builds[number,result,timestamp]{0,%d}"
COMPUTER = "computer[displayName,offline,offlineCauseReason]"


class Jenkins:
    """One server by its address. Calls raise ApiError."""

    def __init__(self, url: str) -> None:
        self._http = Http("CI", url)

    def job(self, name: str) -> dict[str, Any] | None:
        """Whether a job may build, and its last build; None: no such job."""
        found: dict[str, Any] | None = self._http.find(f"/job/{name}/api/json", tree=JOB)
        return found

    def newest_builds(self, name: str, count: int) -> dict[str, Any] | None:
        """Whether a job may build, and its newest builds, `timestamp` in Unix ms; None: no such job."""
        found: dict[str, Any] | None = self._http.find(f"/job/{name}/api/json", tree=BUILDS % count)
        return found

    def log(self, name: str, number: int) -> str:
        """What a build has said."""
        return self._http.call("GET", f"/job/{name}/{number}/consoleText").text

    def agent(self, name: str) -> dict[str, Any] | None:
        """Whether an agent is offline and why; None: no such agent."""
        rows = self._http.get("/computer/api/json", tree=COMPUTER)["computer"]
        return next((row for row in rows if row["displayName"] == name), None)

    def deliver(self, path: str, job: str, body: bytes, secret: str) -> tuple[int, dict[str, Any]]:
        """Post a push as Gitea would, signed; the status, and what became of the job."""
        headers = {"Content-Type": "application/json", "X-Gitea-Event": "push", SIGNATURE: sign(secret, body)}
        try:
            answer = self._http.call("POST", path, params={"token": job}, data=body, headers=headers)
        except ApiError as error:
            if not error.status:
                raise
            return error.status, {}
        return answer.status_code, _of_job(answer.content, job)


def sign(secret: str, body: bytes) -> str:
    """Gitea's signature of a delivery: hex HMAC-SHA256 of the raw body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _of_job(body: bytes, job: str) -> dict[str, Any]:
    """What an answer says of one job; empty where it says nothing."""
    try:
        return dict((json.loads(body).get("jobs") or {}).get(job) or {})
    except (ValueError, AttributeError, TypeError):
        return {}
