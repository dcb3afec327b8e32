"""`ci deliver`: hands a built commit to Airflow and says so in the commit's status."""

from __future__ import annotations

import re
from pathlib import Path

from ci.airflow import Airflow
from ci.bundle import BundleWatch
from ci.command_settings import DeliverSettings
from ci.deployed import deployed
from ci.git import git, head
from ci.gitea_client import Gitea
from ci.images import read_ref
from ci.insist import Say, insist

DAG = "train_and_serve"
DAG_REPOSITORY = "airflow_dags"
TRAILER = "Starts-Run"


def deliver(settings: DeliverSettings, folder: Path, say: Say) -> None:
    """Hand over HEAD of `folder`. Raises DeliverError or GiteaError where it is not taken."""
    commit, timeout = head(folder), settings.airflow.timeout
    airflow = Airflow(settings.airflow.url, settings.airflow.user, settings.airflow.password)
    if settings.repository == DAG_REPOSITORY:
        watch = BundleWatch(airflow, DAG, commit, folder, settings.repository_url)
        with deployed(settings, folder, commit, say):
            say(f"Waiting until Airflow's bundle is at {commit[:12]}")
            say(insist(watch.look, timeout, say))
        return
    image = read_ref()
    insist(lambda: post_image(settings, commit, image), timeout, say)
    say(f"Status image of {commit[:12]}: {image}")
    if starts_no_run(folder):
        say(f"The commit says `{TRAILER}: no`: no run is started.")
        return
    run = f"push-{settings.repository}-{commit[:12]}"
    say(insist(lambda: start_run(settings, airflow, run, commit, image), timeout, say))
    say(settings.airflow.run_url(DAG, run))


def post_image(settings: DeliverSettings, commit: str, image: str) -> None:
    """Set the status `image` of the commit. Raises GiteaError or NotYet."""
    body = {"state": "success", "context": "image", "description": image, "target_url": settings.build_url}
    Gitea(settings.gitea).post_status(settings.repository, commit, body)


def start_run(settings: DeliverSettings, airflow: Airflow, run: str, commit: str, image: str) -> str:
    """Ask for the run; what to say. Raises DeliverError or NotYet."""
    conf = {
        "reason": "push",
        "repository": settings.repository,
        "commit": commit,
        "image": image,
        "build": settings.build_url,
    }
    is_new = airflow.start_run(DAG, run, conf)
    return f"Airflow accepted the run {run}" if is_new else f"Airflow has already accepted the run {run}"


def starts_no_run(folder: Path) -> bool:
    """Whether HEAD's message has the trailer `Starts-Run: no`."""
    trailers = git(folder, "show", "--no-patch", "--format=%(trailers:only,unfold)", "HEAD")
    return bool(re.search(rf"^{TRAILER}:\s*no\s*$", trailers, re.MULTILINE | re.IGNORECASE))
