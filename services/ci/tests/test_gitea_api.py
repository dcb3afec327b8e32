"""Organisations and repositories are made as in Gitea: every answer is held against its API description."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from contract import Check
from flask.testing import FlaskClient
from workshop import TOKEN, git

from ci.app import create_app
from ci.errors import NameTaken, SettingsError
from ci.hosting import Hosting, write_whole
from ci.settings import ServerSettings

OWNER, PASSWORD = "sandbox", "a-password"
ADMIN, LOOP = (OWNER, PASSWORD), ("loop", TOKEN)
BRANCHES, NAME = "/repos/{owner}/{repo}/branches", "model_training.git"
ORGS, REPOS, REPO = "/api/v1/orgs", "/api/v1/orgs/mlops/repos", "/api/v1/repos/mlops/model_training"


@pytest.fixture
def settings(environment: dict[str, str]) -> ServerSettings:
    Path(environment["GIT_ROOT"]).rmdir()
    extra = {"CI_GIT_HTTP": "true", "CI_ADMIN_USER": OWNER, "CI_ADMIN_PASSWORD": PASSWORD}
    return ServerSettings.from_env(environment | extra)


@pytest.fixture
def organisation(client: FlaskClient) -> str:
    assert client.post(ORGS, json={"username": "mlops"}, auth=ADMIN).status_code == 201
    return "mlops"


def test_the_organisation_is_made_once(client: FlaskClient, check: Check) -> None:
    before = client.get(f"{ORGS}/mlops")
    assert before.status_code == 404
    check(before, "get", "/orgs/{org}")
    body = {"username": "mlops", "visibility": "public", "full_name": "MLOps"}
    made = client.post(ORGS, json=body, auth=ADMIN)
    assert made.status_code == 201
    assert check(made, "post", "/orgs")["username"] == "mlops"
    again = client.post(ORGS, json=body, auth=ADMIN)
    assert again.status_code == 422
    assert "there already" in check(again, "post", "/orgs")["message"]
    assert check(client.get(f"{ORGS}/mlops"), "get", "/orgs/{org}") == made.json


def test_there_is_only_one_organisation(client: FlaskClient, check: Check) -> None:
    other = client.post(ORGS, json={"username": "other"}, auth=ADMIN)
    assert other.status_code == 422
    assert "mlops (ORGANISATION)" in check(other, "post", "/orgs")["message"]
    assert client.post(f"{ORGS}/other/repos", json={"name": "a"}, auth=ADMIN).status_code == 404


@pytest.mark.usefixtures("organisation")
def test_a_repository_is_made_once(client: FlaskClient, check: Check, settings: ServerSettings) -> None:
    missing = client.get(REPO)
    assert missing.status_code == 404
    check(missing, "get", "/repos/{owner}/{repo}")
    body = {"name": "model_training", "private": False, "auto_init": False, "default_branch": "main"}
    made = client.post(REPOS, json=body, auth=ADMIN)
    assert made.status_code == 201
    repository = check(made, "post", "/orgs/{org}/repos")
    assert repository["clone_url"] == f"{settings.web_url}/mlops/model_training.git"
    assert (repository["full_name"], repository["default_branch"]) == ("mlops/model_training", "main")
    assert check(client.get(REPO, auth=ADMIN), "get", "/repos/{owner}/{repo}") == repository
    rights = [client.get(REPO, auth=auth).json["permissions"] for auth in (ADMIN, LOOP, None)]
    assert [(of["admin"], of["push"], of["pull"]) for of in rights] == [
        (True, True, True),
        (False, True, True),
        (False, False, True),
    ]
    again = client.post(REPOS, json=body, auth=ADMIN)  # Gitea's 409 is missing in its description
    assert (again.status_code, set(again.json)) == (409, {"message", "url"})


@pytest.mark.usefixtures("organisation")
def test_a_repository_is_bare_and_has_its_hook(client: FlaskClient, settings: ServerSettings) -> None:
    client.post(REPOS, json={"name": "a.b-c"}, auth=ADMIN)
    client.post(REPOS, json={"name": "dev", "default_branch": "dev"}, auth=ADMIN)
    folder = settings.git_root / "a.b-c.git"
    assert git(folder, "rev-parse", "--is-bare-repository") == "true"
    assert git(folder, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(settings.git_root / "dev.git", "symbolic-ref", "HEAD") == "refs/heads/dev"
    hook = folder / "hooks" / "post-receive"
    assert str(settings.home / "hook.env") in hook.read_text()
    assert hook.stat().st_mode & 0o111
    assert sorted(path.name for path in settings.git_root.iterdir()) == ["a.b-c.git", "dev.git"]


@pytest.mark.usefixtures("organisation")
@pytest.mark.parametrize("name", ["../x", "-x", ".x", "a/b", "a b", "x.git", "", 5, None, "é", "x" * 101])
def test_a_name_that_cannot_be_is_422(client: FlaskClient, settings: ServerSettings, name: Any) -> None:
    assert client.post(REPOS, json={"name": name}, auth=ADMIN).status_code == 422
    assert client.post(REPOS, json={"name": "a", "default_branch": "-x"}, auth=ADMIN).status_code == 422
    assert list(settings.git_root.iterdir()) == []


@pytest.mark.usefixtures("organisation")
@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_a_body_that_cannot_be_read_is_422(client: FlaskClient, body: bytes) -> None:
    for path in (ORGS, REPOS):
        assert client.post(path, data=body, auth=ADMIN).status_code == 422


@pytest.mark.parametrize(
    ("auth", "status"),
    [(None, 401), ((OWNER, "x"), 401), ((OWNER, ""), 401), (("x", PASSWORD), 401), (LOOP, 403)],
)
def test_only_the_owner_creates(client: FlaskClient, check: Check, auth: Any, status: int) -> None:
    answer = client.post(ORGS, json={"username": "mlops"}, auth=auth)
    assert (answer.status_code, set(answer.json)) == (status, {"message", "url"})
    if status == 403:
        check(answer, "post", "/orgs")
    assert client.post(REPOS, json={"name": "a"}, auth=auth).status_code == status
    assert client.get(f"{ORGS}/mlops").status_code == 404


@pytest.mark.usefixtures("organisation")
def test_branches_are_listed_as_described(
    client: FlaskClient, check: Check, settings: ServerSettings, tmp_path: Path
) -> None:
    assert client.get(f"{REPO}/branches").status_code == 404
    client.post(REPOS, json={"name": "model_training"}, auth=ADMIN)
    assert check(client.get(f"{REPO}/branches"), "get", BRANCHES) == []
    git(tmp_path, "init", "--quiet", "work")
    shas = {}
    for name in ("main", "a/b;c$(d)"):
        git(tmp_path / "work", "commit", "--quiet", "--allow-empty", "--message", f"On {name}")
        git(tmp_path / "work", "push", "--quiet", str(settings.git_root / NAME), f"HEAD:refs/heads/{name}")
        shas[name] = git(tmp_path / "work", "rev-parse", "HEAD")
    listed = client.get(f"{REPO}/branches")
    assert {each["name"]: each["commit"]["id"] for each in check(listed, "get", BRANCHES)} == shas
    assert listed.headers["X-Total-Count"] == "2"
    pages = [client.get(f"{REPO}/branches?limit=1&page={page}").json for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [1, 1, 0]
    assert [*pages[0], *pages[1]] == listed.json
    assert client.get("/api/v1/repos/other/model_training/branches").status_code == 404


def test_without_an_owner_nobody_creates(settings: ServerSettings) -> None:
    client = create_app(dataclasses.replace(settings, admin_user="", admin_password="")).test_client()
    for auth in (ADMIN, ("", ""), None):
        assert client.post(ORGS, json={"username": "mlops"}, auth=auth).status_code == 401


def test_an_owner_needs_a_password(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="CI_ADMIN_PASSWORD"):
        ServerSettings.from_env(environment | {"CI_ADMIN_USER": OWNER})
    with pytest.raises(SettingsError, match="CI_ADMIN_USER is 'loop'"):
        ServerSettings.from_env(environment | {"CI_ADMIN_USER": "loop", "CI_ADMIN_PASSWORD": PASSWORD})
    with pytest.raises(SettingsError, match="CI_GIT_HTTP is 'yes'"):
        ServerSettings.from_env(environment | {"CI_GIT_HTTP": "yes"})


def test_settings_show_no_secret(settings: ServerSettings, environment: dict[str, str]) -> None:
    shown = repr(dataclasses.replace(settings, machine={"HTTP_PROXY": "http://me:secret@proxy"}))
    for secret in (TOKEN, PASSWORD, environment["CI_WEBHOOK_SECRET"], "me:secret"):
        assert secret not in shown


@pytest.mark.usefixtures("organisation")
@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOTEMPTY, NameTaken), (errno.EEXIST, NameTaken), (errno.ENOSPC, OSError)],
)
def test_only_a_folder_that_is_there_takes_a_name(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    def rename(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(expected):
        Hosting(settings).create_repository("model_training")
    assert list(settings.git_root.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "file", "text", 0o600)
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "other", "\ud800", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_git_over_http_the_routes_are_not_there(settings: ServerSettings) -> None:
    client = create_app(dataclasses.replace(settings, git_http=False)).test_client()
    for answer in (
        client.post(ORGS, json={"username": "mlops"}, auth=ADMIN),
        client.get(REPO),
        client.get("/mlops/model_training.git/info/refs?service=git-upload-pack"),
    ):
        assert answer.status_code == 404
    assert not (settings.home / "hook.env").exists()


def test_what_is_sent_is_what_gitea_describes(description: dict[str, Any]) -> None:
    definitions = description["definitions"]
    assert definitions["CreateOrgOption"]["required"] == ["username"]
    assert definitions["CreateRepoOption"]["required"] == ["name"]
    assert "default_branch" in definitions["CreateRepoOption"]["properties"]
