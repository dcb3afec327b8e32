"""The webhook takes signed pushes only, once each, and says what is wrong with the others."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from workshop import MAKEFILE, Repository, deliver_hook, push_body

from ci.app import BODY_LIMIT, Ci
from ci.git import ZERO

FILES = {"Makefile": MAKEFILE}


def test_a_signed_push_is_queued(client: FlaskClient, ci: Ci, repository: Repository) -> None:
    sha = repository.push_files(FILES)
    answer = deliver_hook(client, push_body("model_training", sha))
    url = f"{ci.settings.web_url}/job/model_training/1/"
    assert answer.status_code == 200
    assert answer.json["jobs"] == {"model_training": {"triggered": True, "id": 1, "url": url}}
    (status,) = ci.statuses.latest("model_training", sha)
    assert (status.context, status.state, status.description) == ("ci", "pending", "queued as build 1")
    assert status.target_url == url


@pytest.mark.parametrize("signature", ["", "0" * 64, "é"])
def test_a_wrong_or_missing_signature_is_refused_and_logged(
    client: FlaskClient, ci: Ci, repository: Repository, signature: str, caplog: pytest.LogCaptureFixture
) -> None:
    sha = repository.push_files(FILES)
    with caplog.at_level(logging.WARNING):
        answer = deliver_hook(client, push_body("model_training", sha), **{"X-Gitea-Signature": signature})
    assert answer.status_code == 403
    assert "X-Gitea-Signature" in answer.json["message"]
    assert "refused a delivery" in caplog.text
    assert ci.store.builds("model_training") == []


def test_the_signature_is_checked_before_anything_is_read(client: FlaskClient) -> None:
    assert deliver_hook(client, b"no json", secret="another").status_code == 403


def test_unknown_repositories_and_owners_are_404(client: FlaskClient, repository: Repository) -> None:
    sha = repository.push_files(FILES)
    for name in ("other", "../model_training", ".hidden", "a/b"):
        answer = deliver_hook(client, push_body(name, sha))
        assert (answer.status_code, "no repository" in answer.json["message"]) == (404, True)
    stranger = {"name": "model_training", "owner": {"login": "evil"}}
    body = push_body("model_training", sha, repository=stranger)
    assert deliver_hook(client, body).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ref": None}, "ref"),
        ({"ref": "main"}, "ref"),
        ({"ref": "refs/heads/a b"}, "ref"),
        ({"ref": "refs/heads/a\x00b"}, "ref"),
        ({"ref": "refs/heads/\udc80"}, "ref"),
        ({"ref": "refs/heads/" + "a" * 300}, "ref"),
        ({"after": "abc"}, "after"),
        ({"after": 5}, "after"),
        ({"after": "1" * 40}, "after"),
        ({"repository": {}}, "repository.name"),
        ({"repository": "model_training"}, "repository.name"),
        ({"repository": {"name": "model_training", "owner": {"login": 1}}}, "repository.owner.login"),
    ],
)
def test_a_malformed_payload_is_400_and_names_the_field(
    client: FlaskClient, repository: Repository, changes: dict, field: str
) -> None:
    sha = repository.push_files(FILES)
    answer = deliver_hook(client, push_body("model_training", sha, **changes))
    assert answer.status_code == 400
    assert f"The field {field} " in answer.json["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_400(client: FlaskClient, body: bytes) -> None:
    assert deliver_hook(client, body).status_code == 400


def test_a_body_that_is_too_large_is_413(client: FlaskClient) -> None:
    assert deliver_hook(client, b" " * (BODY_LIMIT + 1)).status_code == 413


def test_only_pushes_to_branches_are_built(client: FlaskClient, ci: Ci, repository: Repository) -> None:
    sha = repository.push_files(FILES)
    for body, reason in [
        (push_body("model_training", sha, "refs/tags/v1"), "tags are not built"),
        (push_body("model_training", ZERO), "the ref was deleted"),
        (push_body("model_training", sha, "refs/notes/x"), "only branches are built"),
    ]:
        answer = deliver_hook(client, body)
        assert answer.status_code == 200
        assert answer.json["jobs"]["model_training"] == {"triggered": False, "reason": reason}
    answer = deliver_hook(client, push_body("model_training", sha), **{"X-Gitea-Event": "create"})
    assert (answer.status_code, answer.json["jobs"]) == (200, {})
    assert ci.store.builds("model_training") == []


def test_the_same_push_is_built_once(client: FlaskClient, ci: Ci, repository: Repository) -> None:
    sha = repository.push_files(FILES)
    body = push_body("model_training", sha)
    first = deliver_hook(client, body, "one")
    assert deliver_hook(client, body, "one").json == first.json
    assert deliver_hook(client, body, "two").json == first.json
    assert len(ci.store.builds("model_training")) == 1
    assert len(ci.statuses.all("model_training", sha)) == 1


def test_the_same_delivery_is_taken_once(client: FlaskClient, ci: Ci, repository: Repository) -> None:
    first, second = repository.push_files(FILES), repository.push_files({"a": "b"})
    deliver_hook(client, push_body("model_training", first), "one")
    answer = deliver_hook(client, push_body("model_training", second), "one")
    assert answer.json["jobs"]["model_training"]["id"] == 1
    assert [build.sha for build in ci.store.builds("model_training")] == [first]


def test_another_branch_at_the_same_commit_is_built_of_its_own(
    client: FlaskClient, ci: Ci, repository: Repository
) -> None:
    sha = repository.push_files(FILES)
    deliver_hook(client, push_body("model_training", sha))
    deliver_hook(client, push_body("model_training", sha, "refs/heads/feature"))
    assert [build.branch for build in ci.store.builds("model_training")] == ["feature", "main"]


def test_health_says_what_is_wrong(client: FlaskClient, ci: Ci) -> None:
    assert client.get("/health").status_code == 200
    ci.queue._threads["model_training"] = threading.Thread()
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json["problems"] == ["the thread that builds model_training has ended"]
    ci.queue._threads.clear()
    Path(ci.settings.database).unlink()
    answer = client.get("/health")
    assert answer.status_code == 503
    assert "database" in answer.json["problems"][0]
