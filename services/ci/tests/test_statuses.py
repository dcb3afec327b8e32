"""The status routes are Gitea's: every answer is held against Gitea's own API description."""

from __future__ import annotations

from typing import Any

import pytest
from contract import Check
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from workshop import MAKEFILE, ORGANISATION, TOKEN, Repository, basic, git

from ci.statuses import combine

API = f"/api/v1/repos/{ORGANISATION}/model_training"
REPOSITORY = "/repos/{owner}/{repo}"


def post(client: FlaskClient, sha: str, login: str = basic("loop", TOKEN), **body: Any) -> TestResponse:
    return client.post(f"{API}/statuses/{sha}", json=body, headers={"Authorization": login} if login else {})


@pytest.fixture
def sha(repository: Repository) -> str:
    sha = repository.push_files({"Makefile": MAKEFILE})
    git(repository.work, "tag", "--annotate", "--message", "a tag", "v1")
    git(repository.work, "push", "--quiet", "origin", "v1", "HEAD:refs/heads/feature/deep")
    return sha


def test_a_status_is_created_as_described(client: FlaskClient, sha: str, check: Check) -> None:
    url = "http://localhost/x"
    answer = post(client, sha, state="success", context="image", description="env:sha256:0", target_url=url)
    assert answer.status_code == 201
    body = check(answer, "post", REPOSITORY + "/statuses/{sha}")
    assert (body["status"], body["context"], body["description"], body["target_url"]) == (
        "success",
        "image",
        "env:sha256:0",
        url,
    )
    assert body["creator"]["login"] == "ci"
    assert body["created_at"].endswith("Z")


def test_the_fields_of_a_new_status_are_the_described_ones(description: dict[str, Any]) -> None:
    option = description["definitions"]["CreateStatusOption"]
    assert set(option["properties"]) == {"state", "context", "description", "target_url"}
    assert not option.get("required")


def test_a_status_without_context_is_called_default(client: FlaskClient, sha: str) -> None:
    assert post(client, sha, state="pending").json["context"] == "default"


@pytest.mark.parametrize("ref", ["main", "v1", "feature/deep", "FULL", "SHORT"])
def test_a_commit_is_found_by_branch_tag_and_short_or_full_id(
    client: FlaskClient, sha: str, ref: str, check: Check
) -> None:
    post(client, sha, state="success", context="ci")
    ref = {"FULL": sha, "SHORT": sha[:7]}.get(ref, ref)
    combined = check(client.get(f"{API}/commits/{ref}/status"), "get", REPOSITORY + "/commits/{ref}/status")
    assert (combined["sha"], combined["state"], combined["total_count"]) == (sha, "success", 1)
    assert combined["repository"]["full_name"] == "mlops/model_training"
    listed = check(client.get(f"{API}/commits/{ref}/statuses"), "get", REPOSITORY + "/commits/{ref}/statuses")
    assert [status["context"] for status in listed] == ["ci"]
    same = check(client.get(f"{API}/statuses/{ref}"), "get", REPOSITORY + "/statuses/{sha}")
    assert same == listed


def test_the_newest_status_of_each_context_counts(client: FlaskClient, sha: str, check: Check) -> None:
    for context, state in [("ci", "pending"), ("ci", "failure"), ("image", "success"), ("ci", "success")]:
        post(client, sha, state=state, context=context)
    combined = check(client.get(f"{API}/commits/main/status"), "get", REPOSITORY + "/commits/{ref}/status")
    assert combined["state"] == "success"
    assert {s["context"]: s["status"] for s in combined["statuses"]} == {"ci": "success", "image": "success"}


@pytest.mark.parametrize(
    ("states", "together"),
    [
        ([], "pending"),
        (["success"], "success"),
        (["success", "warning", "skipped"], "success"),
        (["success", "pending"], "pending"),
        (["success", "pending", "failure"], "failure"),
        (["error"], "failure"),
    ],
)
def test_states_combine_as_in_gitea(states: list[str], together: str) -> None:
    assert combine(states) == together


def test_a_commit_without_statuses_is_pending(client: FlaskClient, sha: str, check: Check) -> None:
    combined = check(client.get(f"{API}/commits/{sha}/status"), "get", REPOSITORY + "/commits/{ref}/status")
    assert (combined["state"], combined["statuses"]) == ("pending", [])


def test_lists_are_sorted_filtered_and_paged(client: FlaskClient, sha: str, check: Check) -> None:
    for number in range(5):
        post(client, sha, state="failure" if number == 3 else "success", context=f"c{number}")

    def contexts(query: str) -> list[str]:
        answer = client.get(f"{API}/statuses/{sha}?{query}")
        assert answer.headers["X-Total-Count"] == ("1" if "state" in query else "5")
        return [status["context"] for status in check(answer, "get", REPOSITORY + "/statuses/{sha}")]

    assert contexts("") == ["c4", "c3", "c2", "c1", "c0"]
    assert contexts("sort=oldest") == ["c0", "c1", "c2", "c3", "c4"]
    assert contexts("sort=leastindex") == ["c4", "c3", "c2", "c1", "c0"]
    assert contexts("state=failure") == ["c3"]
    assert contexts("limit=2") == ["c4", "c3"]
    assert contexts("limit=2&page=3") == ["c0"]
    assert contexts("limit=2&page=9") == []
    assert contexts("limit=0&page=-1") == contexts("limit=x&page=²")[:1]


def test_no_page_is_larger_than_fifty(client: FlaskClient, sha: str, ci: Any) -> None:
    for number in range(52):
        ci.statuses.add("model_training", sha, "success", f"c{number}")
    assert len(client.get(f"{API}/statuses/{sha}").json) == 30
    assert len(client.get(f"{API}/statuses/{sha}?limit=1000").json) == 50


WRONG = [
    *("", TOKEN, "Basic", "Basic é", "Basic !", basic("loop", "wrong"), basic("loop", ""), basic("x", TOKEN)),
    *(f"token {TOKEN}", f"Bearer {TOKEN}"),  # one way is enough, and Gitea's tokens cannot be chosen
]


@pytest.mark.parametrize("login", WRONG)
def test_writing_needs_the_login_of_the_loop(client: FlaskClient, sha: str, login: str) -> None:
    answer = post(client, sha, login, state="success")
    assert answer.status_code == 401
    assert set(answer.json) == {"message", "url"}
    assert "Basic with the user loop and its password (CI_TOKEN)" in answer.json["message"]
    assert client.get(f"{API}/statuses/{sha}").json == []


def test_unknown_repositories_owners_and_commits_are_404(client: FlaskClient, sha: str, check: Check) -> None:
    assert check(post(client, "1" * 40, state="success"), "post", REPOSITORY + "/statuses/{sha}")["message"]
    for path in (f"{API}/commits/nowhere/status", API.replace("mlops", "evil") + f"/commits/{sha}/status"):
        assert client.get(path).status_code == 404
        check(client.get(path), "get", REPOSITORY + "/commits/{ref}/status")
    unknown = client.get(f"/api/v1/repos/mlops/other/commits/{sha}/statuses")
    check(unknown, "get", REPOSITORY + "/commits/{ref}/statuses")
    assert unknown.status_code == 404


def test_a_state_that_gitea_does_not_have_is_400(client: FlaskClient, sha: str, check: Check) -> None:
    script = {"state": "success", "target_url": "javascript:alert(1)"}
    for body in ({"state": "green"}, {}, {"state": ""}, script):
        answer = post(client, sha, **body)
        assert answer.status_code == 400
        check(answer, "post", REPOSITORY + "/statuses/{sha}")


UNREADABLE = [b"", b"{", b"[]", b'{"state": 5}', b'{"state": "success", "context": "\\ud800"}']


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_body_that_cannot_be_read_is_422(client: FlaskClient, sha: str, body: bytes) -> None:
    answer = client.post(f"{API}/statuses/{sha}", data=body, auth=("loop", TOKEN))
    assert answer.status_code == 422
