"""`ci deliver`: hands a built commit to Airflow and says so in the commit's status."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ci.airflow import Airflow, NotYet, call, text_of
from ci.bundle import BundleWatch
from ci.errors import DeliverError
from ci.git import git, head
from ci.images import read_ref
from ci.sessions import session_for
from ci.settings import DeliverSettings

DAG = "train_and_serve"
DAG_REPOSITORY = "airflow_dags"
TRAILER = "Starts-Run"
FIRST_PAUSE, LONGEST_PAUSE, PROGRESS = 0.5, 5.0, 15.0

Say = Callable[[str], None]
T = TypeVar("T")


def deliver(settings: DeliverSettings, folder: Path, say: Say) -> None:
    """Hand over HEAD of `folder`. Raises DeliverError where Airflow or the status server do not take it."""
    commit = head(folder)
    airflow = Airflow(settings.airflow_url, settings.airflow_user, settings.airflow_password)
    if settings.repository == DAG_REPOSITORY:
        say(f"Waiting until Airflow's bundle is at {commit[:12]}")
        watch = BundleWatch(airflow, DAG, commit, folder, f"{settings.git_url}/{settings.repository}.git")
        say(insist(watch.look, settings.timeout, say))
        return
    image = read_ref()
    insist(lambda: post_status(settings, commit, image), settings.timeout, say)
    say(f"Status image of {commit[:12]}: {image}")
    if starts_no_run(folder):
        say(f"The commit says `{TRAILER}: no`: no run is started.")
        return
    run = f"push-{settings.repository}-{commit[:12]}"
    say(insist(lambda: start_run(settings, airflow, run, commit, image), settings.timeout, say))
    say(f"{settings.airflow_web_url}/dags/{DAG}/runs/{run}")


def insist(attempt: Callable[[], T], timeout: float, say: Say) -> T:
    """Try until it works, with growing pauses. Raises DeliverError after `timeout` seconds."""
    started = told = time.monotonic()
    pause = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except NotYet as error:
            now = time.monotonic()
            if now - started + pause > timeout:
                raise DeliverError(
                    f"Waited {now - started:.0f} s (CI_DELIVER_TIMEOUT is {timeout} s). Last seen: {error}."
                ) from error
            if told == started or now - told > PROGRESS:
                say(f"Waiting: {error}")
                told = now
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def post_status(settings: DeliverSettings, commit: str, image: str) -> None:
    """Set the status `image` of the commit. Raises DeliverError or NotYet."""
    url = f"{settings.status_url}/repos/{settings.organisation}/{settings.repository}/statuses/{commit}"
    body = {"state": "success", "context": "image", "description": image, "target_url": settings.build_url}
    headers = {"Authorization": f"token {settings.status_token}"}
    response = call(session_for(url), "POST", url, json=body, headers=headers)
    if response.status_code != 201:
        raise DeliverError(f"{url} refused the status image ({response.status_code}): {text_of(response)}")


def start_run(settings: DeliverSettings, airflow: Airflow, run: str, commit: str, image: str) -> str:
    """Ask for the run; what to say. Raises DeliverError or NotYet."""
    conf = {
        "reason": "push",
        "repository": settings.repository,
        "commit": commit,
        "image": image,
        "build": settings.build_url,
    }
    body = {"dag_run_id": run, "logical_date": None, "conf": conf}
    response = airflow.call("POST", f"/dags/{DAG}/dagRuns", json=body)
    if response.status_code == 404:
        raise NotYet(f"Airflow does not know the DAG {DAG} yet")
    if response.status_code == 409:
        return f"Airflow has already accepted the run {run}"
    if response.status_code >= 300:
        raise DeliverError(f"Airflow refused the run {run} ({response.status_code}): {text_of(response)}")
    return f"Airflow accepted the run {run}"


def starts_no_run(folder: Path) -> bool:
    """Whether HEAD's message has the trailer `Starts-Run: no`."""
    trailers = git(folder, "show", "--no-patch", "--format=%(trailers:only,unfold)", "HEAD")
    return bool(re.search(rf"^{TRAILER}:\s*no\s*$", trailers, re.MULTILINE | re.IGNORECASE))
