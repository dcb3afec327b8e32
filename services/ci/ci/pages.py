"""Pages of the builds, at Jenkins' paths, and the health of the server."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template

from ci.buildlog import read_log
from ci.errors import UnknownRepository
from ci.routes import here
from ci.store import Build, StageRecord

LOG_SHOWN = 200_000
NEWEST = 5
blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def home() -> str:
    """All repositories with their newest builds."""
    jobs = [(name, here().store.builds(name, NEWEST)) for name in here().repositories.names()]
    return render_template(
        "home.html", jobs=jobs, building=any(map(is_open, (b for _, bs in jobs for b in bs)))
    )


@blueprint.get("/job/<repo>/")
def job(repo: str) -> str:
    """All builds of a repository."""
    builds = find_builds(repo)
    return render_template("job.html", repository=repo, builds=builds, building=any(map(is_open, builds)))


@blueprint.get("/job/<repo>/<int:number>/")
def build(repo: str, number: int) -> str:
    """One build: stages and log."""
    found = find_build(repo, number)
    log = here().settings.log(repo, number)
    return render_template(
        "build.html",
        build=found,
        stages=here().store.stages(repo, number),
        log=read_log(log, LOG_SHOWN),
        is_cut=log.exists() and log.stat().st_size > LOG_SHOWN,
        building=is_open(found),
    )


@blueprint.get("/job/<repo>/<int:number>/consoleText")
def console(repo: str, number: int) -> Response:
    """The whole log as text."""
    find_build(repo, number)
    return Response(read_log(here().settings.log(repo, number)), mimetype="text/plain")


@blueprint.get("/job/<repo>/api/json")
def job_json(repo: str) -> Response:
    """All builds of a repository, in Jenkins' words."""
    builds = [render(found) for found in find_builds(repo)]
    finished = [found for found in builds if not found["building"]]
    return jsonify(
        name=repo,
        url=f"{here().settings.web_url}/job/{repo}/",
        builds=builds,
        lastBuild=builds[0] if builds else None,
        lastCompletedBuild=finished[0] if finished else None,
    )


@blueprint.get("/job/<repo>/<int:number>/api/json")
def build_json(repo: str, number: int) -> Response:
    """One build, in Jenkins' words."""
    return jsonify(render(find_build(repo, number)))


@blueprint.get("/health")
def health() -> tuple[Response, int]:
    """200 where builds can be queued and worked on, else 503 with what is wrong."""
    problems = [f"the thread that builds {name} has ended" for name in here().queue.dead_threads()]
    try:
        here().store.check()
    except sqlite3.Error as error:
        problems.append(f"the database cannot be written: {error}")
    return jsonify(status="failing" if problems else "ok", problems=problems), 503 if problems else 200


@blueprint.app_template_filter("seconds")
def format_seconds(value: float) -> str:
    """A duration for people."""
    return f"{value:.1f} s" if value < 60 else f"{value // 60:.0f} min {value % 60:.0f} s"


@blueprint.app_template_filter("moment")
def format_moment(value: float) -> str:
    """A time for people and, in UTC, for everyone."""
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def is_open(found: Build) -> bool:
    """Whether a build has still to end."""
    return found.result is None


def find_builds(repo: str) -> list[Build]:
    """Builds of a repository; 404 where there is no such repository."""
    try:
        here().repositories.path(repo)
    except UnknownRepository as error:
        abort(404, str(error))
    return here().store.builds(repo)


def find_build(repo: str, number: int) -> Build:
    """A build; 404 where there is none."""
    found = here().store.build(repo, number) if number < 2**31 else None
    return found or abort(404, f"There is no build {number} of {repo!r}; older builds are removed.")


def render(found: Build) -> dict[str, Any]:
    """A build in Jenkins' words, with commit, branch and stages added; times in milliseconds."""
    return {
        "number": found.number,
        "url": here().settings.build_url(found.repository, found.number),
        "building": is_open(found),
        "result": found.result,
        "timestamp": int((found.started_at or found.queued_at) * 1000),
        "duration": int(found.seconds * 1000) if found.result else 0,
        "queued": found.state == "queued",
        "commit": found.sha,
        "branch": found.branch,
        "description": found.detail,
        "stages": [render_stage(stage) for stage in here().store.stages(found.repository, found.number)],
    }


def render_stage(stage: StageRecord) -> dict[str, Any]:
    """A stage; duration in milliseconds."""
    return {"name": stage.name, "state": stage.state, "duration": int(stage.seconds * 1000)}
