"""Jenkins as a client sees it: the hook that takes pushes, and what a build was asked for.

https://plugins.jenkins.io/generic-webhook-trigger/ and https://www.jenkins.io/doc/book/using/remote-access-api/.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import requests

from ci.command_settings import CatchUpSettings
from ci.errors import CatchUpError
from ci.sessions import call, session_for, text_of
from ci.signature import push_headers

HINTS = {
    403: "check CI_WEBHOOK_SECRET, which Jenkins and Gitea must have too",
    404: "Jenkins has no job for it; the job that makes the jobs says why",
}
BRANCH = "BRANCH_NAME"  # the parameter of a build
BUILD = re.compile(r"(?:/[^/]+)*/job/[^/]+/[0-9]+/")  # path of its page
PARAMETERS = "actions[parameters[name,value]]"


class Jenkins:
    """The server behind CI_HOOK_URL; every call raises CatchUpError, or NotYet where Jenkins is away."""

    def __init__(self, settings: CatchUpSettings) -> None:
        self.settings = settings
        self.session = session_for(settings.hook_url)

    def send(self, repository: str, payload: dict[str, Any]) -> None:
        """Have a push built, as Gitea would."""
        body = json.dumps(payload).encode()
        headers = push_headers(self.settings.webhook_secret, body)
        options = {"params": {"token": repository}, "data": body, "headers": headers}
        check_queued(call(self.session, "POST", self.settings.hook_url, **options))

    def branch_of(self, page: str) -> str | None:
        """The branch that a build was for, by its page; None where it is gone or was asked for none."""
        path = urlsplit(page).path
        if not is_build(page):
            return None
        hook = urlsplit(self.settings.hook_url)  # a page has the address for people
        url = f"{hook.scheme}://{hook.netloc}{path}api/json"
        response = call(self.session, "GET", url, params={"tree": PARAMETERS})
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            said = f"{url} refused GET ({response.status_code}): {text_of(response)}"
            raise CatchUpError(f"{said}; everybody must be allowed to read builds")
        return find_branch(response)


def is_build(page: str) -> bool:
    """Whether a status leads to a build; one that waits has the page of its job."""
    return bool(BUILD.fullmatch(urlsplit(page).path))


def find_branch(response: requests.Response) -> str | None:
    """BRANCH_NAME among a build's parameters. Raises CatchUpError for what is not Jenkins."""
    try:
        actions = response.json().get("actions") or []
        given = [row for action in actions for row in action.get("parameters") or []]
        return next((str(row["value"]) for row in given if row["name"] == BRANCH), None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_jenkins(response.url) from error


def check_queued(response: requests.Response) -> None:
    """Raise CatchUpError unless Jenkins has queued a build."""
    url = response.url
    if response.status_code != 200:
        hint = HINTS.get(response.status_code, "check CI_HOOK_URL")
        raise CatchUpError(f"{url} refused it ({response.status_code}): {text_of(response)}; {hint}")
    try:
        jobs = response.json()["jobs"]
        if any(isinstance(job, dict) and job.get("triggered") for job in jobs.values()):
            return
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_jenkins(url) from error
    raise CatchUpError(f"{url} took it but starts no build ({str(jobs)[:300]}); check the filter of the job")


def not_jenkins(url: str) -> CatchUpError:
    """What to say of an answer that Jenkins does not give."""
    return CatchUpError(f"what answers at {url} is not Jenkins; check CI_HOOK_URL")
