"""Gitea's routes for organisations, repositories and branches: https://docs.gitea.com/api."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from ci import gitea, payload
from ci.errors import NameRefused, NameTaken, UnknownRepository
from ci.hosting import DEFAULT_BRANCH, Hosting
from ci.logins import Logins
from ci.repositories import HEADS
from ci.routes import here, is_text, paged, read_object
from ci.status_api import render_repository

blueprint = Blueprint("gitea_api", __name__, url_prefix="/api/v1")


@blueprint.post("/orgs")
def create_organisation() -> tuple[Response, int]:
    """Make the organisation; 422 where it is there or is not the one of this server."""
    check_admin()
    name = text_field(read_object(), "username")
    try:
        Hosting(here().settings).create_organisation(name)
    except (NameRefused, NameTaken) as error:
        abort(422, str(error))
    return jsonify(gitea.organisation(name, here().settings.web_url)), 201


@blueprint.get("/orgs/<org>")
def show_organisation(org: str) -> Response:
    """The organisation, or 404."""
    check_organisation(org)
    return jsonify(gitea.organisation(org, here().settings.web_url))


@blueprint.post("/orgs/<org>/repos")
def create_repository(org: str) -> tuple[Response, int]:
    """Make a repository; 409 where it is there, 422 where its name cannot be."""
    check_admin()
    check_organisation(org)
    body = read_object()
    name = text_field(body, "name")
    branch = text_field(body, "default_branch") if body.get("default_branch") else DEFAULT_BRANCH
    try:
        Hosting(here().settings).create_repository(name, branch)
    except NameTaken as error:
        abort(409, str(error))
    except NameRefused as error:
        abort(422, str(error))
    return jsonify(render(name)), 201


@blueprint.get("/repos/<owner>/<repo>")
def show_repository(owner: str, repo: str) -> Response:
    """A repository, or 404."""
    check_organisation(owner)
    try:
        return jsonify(render(repo))
    except UnknownRepository as error:
        abort(404, str(error))


@blueprint.get("/repos/<owner>/<repo>/branches")
def list_branches(owner: str, repo: str) -> Response:
    """Every branch with its newest commit, page by page; 404 where there is no such repository."""
    check_organisation(owner)
    try:
        folder, heads = here().repositories.path(repo), here().repositories.heads(repo)
    except UnknownRepository as error:
        abort(404, str(error))
    page = f"{here().settings.web_url}/job/{repo}/"

    def render_branch(head: tuple[str, str]) -> dict[str, Any]:
        (record,) = payload.read_commits(folder, [head[1]])
        return gitea.branch(head[0].removeprefix(HEADS), payload.render(record, page))

    return paged(heads, render_branch)


def render(name: str) -> dict[str, Any]:
    """A repository with what whoever asks may do in it."""
    logins = Logins(here().settings)
    user = logins.user(request.headers.get("Authorization", ""))
    rights = {"admin": bool(user) and logins.is_admin(user), "push": bool(user), "pull": True}
    return {**render_repository(name), "archived": False, "permissions": rights}


def check_admin() -> None:
    """401 for a wrong or missing login, 403 for a user who may not create."""
    logins = Logins(here().settings)
    user = logins.user(request.headers.get("Authorization", ""))
    if user is None:
        abort(401, "The header Authorization must be Basic with the name and password of the owner.")
    if not logins.is_admin(user):
        abort(403, f"Only the owner (CI_ADMIN_USER) may create, not {user}.")


def check_organisation(name: str) -> None:
    """404 for any but the organisation of this server, or while it is not made."""
    if name != here().settings.organisation or not Hosting(here().settings).has_organisation():
        abort(404, f"There is no organisation {name[:100]!r} here.")


def text_field(body: dict[str, Any], name: str) -> str:
    """A text of the body; 422 where it is missing or none."""
    value = body.get(name)
    if not is_text(value) or not value:
        abort(422, f"The field {name} must be a text that is not empty.")
    return value
