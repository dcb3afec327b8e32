"""Gitea's commit status routes: https://docs.gitea.com/api, tag `repository`.

Everybody may read. Whoever writes logs in as `loop` by HTTP Basic.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from ci import gitea
from ci.errors import UnknownRepository
from ci.logins import Logins
from ci.routes import here, is_text, page_of, paged, read_object
from ci.settings import LOOP
from ci.statuses import STATES, Status, combine

blueprint = Blueprint("status_api", __name__, url_prefix="/api/v1/repos/<owner>/<repo>")


@blueprint.post("/statuses/<sha>")
def create(owner: str, repo: str, sha: str) -> tuple[Response, int]:
    """Keep a status of a commit."""
    check_login()
    commit = find_commit(owner, repo, sha)
    body = read_body()
    status = here().statuses.add(
        repo, commit, body["state"], body["context"] or "default", body["description"], body["target_url"]
    )
    return jsonify(render(status)), 201


@blueprint.get("/statuses/<path:ref>")
@blueprint.get("/commits/<path:ref>/statuses")
def list_all(owner: str, repo: str, ref: str) -> Response:
    """Every status of a commit, page by page."""
    commit = find_commit(owner, repo, ref)
    sort, state = request.args.get("sort", ""), request.args.get("state", "")
    return paged(here().statuses.all(repo, commit, sort, state), render)


@blueprint.get("/commits/<path:ref>/status")
def combined(owner: str, repo: str, ref: str) -> Response:
    """The newest status of each context and the state they make together."""
    commit = find_commit(owner, repo, ref)
    latest = here().statuses.latest(repo, commit)
    api = f"{here().settings.web_url}/api/v1/repos/{owner}/{repo}"
    return jsonify(
        state=combine([status.state for status in latest]),
        sha=commit,
        total_count=len(latest),
        statuses=[render(status) for status in page_of(latest)],
        repository=render_repository(repo),
        commit_url=f"{api}/git/commits/{commit}",
        url=f"{api}/commits/{commit}/status",
    )


def check_login() -> None:
    """Only whoever is logged in may write; 401."""
    if Logins(here().settings).user(request.headers.get("Authorization", "")) is None:
        abort(
            401, f"The header Authorization must be Basic with the user {LOOP} and its password (CI_TOKEN)."
        )


def find_commit(owner: str, repo: str, ref: str) -> str:
    """The full id of the commit; 404 where owner, repository or commit are not there."""
    try:
        commit = here().repositories.resolve(repo, ref)
    except UnknownRepository as error:
        abort(404, str(error))
    if owner != here().settings.organisation:
        abort(404, f"There is no organisation {owner!r} here.")
    if commit is None:
        abort(404, f"There is no commit, branch or tag {ref!r} in {repo}.")
    return commit


def read_body() -> dict[str, str]:
    """The fields of a new status; 422 where they cannot be read, 400 where the state is none of Gitea's."""
    body = read_object()
    fields = {name: body.get(name) or "" for name in ("state", "context", "description", "target_url")}
    for name, value in fields.items():
        if not is_text(value):
            abort(422, f"The field {name} must be a text.")
    if fields["state"] not in STATES:
        abort(400, f"The field state must be one of {', '.join(STATES)}, not {fields['state'][:50]!r}.")
    if not fields["target_url"].startswith(("http://", "https://", "/")) and fields["target_url"]:
        abort(400, "The field target_url must be an http or https URL.")
    return fields


def render(status: Status) -> dict[str, Any]:
    """A status in Gitea's form."""
    settings = here().settings
    api = f"{settings.web_url}/api/v1/repos/{settings.organisation}/{status.repository}"
    when = datetime.fromtimestamp(status.created_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "id": status.id,
        "status": status.state,
        "target_url": status.target_url,
        "description": status.description,
        "url": f"{api}/statuses/{status.sha}",
        "context": status.context,
        "creator": gitea.user(status.creator, settings.web_url),
        "created_at": when,
        "updated_at": when,
    }


def render_repository(name: str) -> dict[str, Any]:
    """A repository in Gitea's form."""
    settings, repositories = here().settings, here().repositories
    folder = repositories.path(name)
    clone_url = gitea.clone_url(folder, settings.organisation, settings.web_url, settings.git_http)
    branch = repositories.default_branch(name)
    return gitea.repository(settings.organisation, name, settings.web_url, clone_url, branch)
