"""What nobody built is sent again: once, signed, in Gitea's form, and whatever fails is named."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from fakeserver import FakeServer
from workshop import JENKINSFILE, MAKEFILE, SCRIPTS, SECRET, TOKEN, Server, basic, git, wait_for

from ci.catch_up import STALE, catch_up, is_missed, newest_status
from ci.command_settings import CatchUpSettings
from ci.errors import CatchUpError, GiteaError
from ci.git import ZERO
from ci.gitea_client import Gitea
from ci.push import parse_push
from ci.sessions import Away
from ci.signature import HEADER, is_signed

NAMES = ("airflow_dags", "model_training")
API = "GET /api/v1/repos/mlops/model_training"
HOOK = "POST /generic-webhook-trigger/invoke"
TAKEN = (
    200,
    {"jobs": {"x": {"triggered": True, "id": 1, "url": "queue/item/1/"}}, "message": "Triggered jobs."},
)
SHA, OTHER = "a" * 40, "b" * 40
EVIL = "x;touch$IFS{}/pwned;$(touch${{IFS}}{}/pwned)"


def settings_for(url: str, *names: str, **env: str) -> CatchUpSettings:
    values = {
        "ORGANISATION": "mlops",
        "STATUS_URL": f"{url}/api/v1",
        "STATUS_USER": "loop",
        "STATUS_TOKEN": TOKEN,
        "REPOSITORIES": " ".join(names or ("model_training",)),
        "CI_HOOK_URL": f"{url}/generic-webhook-trigger/invoke",
        "CI_WEBHOOK_SECRET": SECRET,
    }
    return CatchUpSettings.from_env(values | env)


def branch(name: str, sha: str) -> dict[str, Any]:
    return {"name": name, "commit": {"id": sha, "message": "Change"}}


def status(context: str, state: str, minutes: float = 0, page: str = "") -> dict[str, str]:
    when = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="seconds")
    return {"context": context, "status": state, "created_at": when, "target_url": page}


def hold(fake: FakeServer, name: str, **heads: list[dict[str, str]] | None) -> None:
    """Let Gitea have the branches `main`, `other` with these statuses."""
    api, shas = f"/api/v1/repos/mlops/{name}", {"main": SHA, "other": OTHER}
    listed = [branch(each, shas[each]) for each in heads]
    fake.answers[f"GET {api}/branches"] = (200, None)  # what Gitea says after the last page
    fake.answers[f"GET {api}/branches?page=1&limit=50"] = (200, listed)
    for each, statuses in heads.items():
        fake.answers[f"GET {api}/commits/{shas[each]}/status"] = (200, {"statuses": statuses})
    shown = {"id": 7, "name": name, "full_name": f"mlops/{name}", "owner": {"login": "mlops"}}
    rights = {"admin": False, "push": True, "pull": True}
    fake.answers[f"GET {api}"] = (200, {**shown, "archived": False, "permissions": rights})


@pytest.fixture
def said(fake: FakeServer) -> list[str]:
    fake.answers[HOOK] = TAKEN
    return []


def sent(fake: FakeServer) -> list[tuple[str, str]]:
    """Token and ref of each delivery."""
    found = [(path, json.loads(raw)) for path, raw in fake.received if path.startswith(HOOK)]
    return [(path.partition("?token=")[2], body["ref"]) for path, body in found]


def test_a_head_without_status_is_sent_as_gitea_would(fake: FakeServer, said: list[str]) -> None:
    hold(fake, "model_training", main=None, other=[status("ci", "success")])
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert said == [
        f"model_training main {SHA[:12]}: sent again",
        "branch heads looked at: 2, missed: 1, sent again: 1",
    ]
    assert sent(fake) == [("model_training", "refs/heads/main")]
    raw = fake.received[-1][1]
    headers = {key.lower(): value for key, value in fake.requests[-1][2].items()}
    assert is_signed(SECRET, raw, headers[HEADER.lower()])
    assert (headers["x-gitea-event"], len(headers["x-gitea-delivery"])) == ("push", 36)
    assert headers["content-type"] == "application/json"
    push, body = parse_push(raw, "mlops"), json.loads(raw)
    assert (push.after, push.owner, push.repository) == (SHA, "mlops", "model_training")
    assert push.reason_not_to_build() == ""
    assert (body["before"], body["head_commit"]["message"]) == (ZERO, "Change")
    assert (body["repository"]["id"], body["repository"]["full_name"]) == (7, "mlops/model_training")
    assert (body["pusher"]["login"], body["repository"]["owner"]["username"]) == ("loop", "mlops")


def test_gitea_is_asked_with_the_login_of_the_loop(fake: FakeServer, said: list[str]) -> None:
    hold(fake, "model_training", main=[])
    catch_up(settings_for(fake.url), said.append, pause=0)
    logins = {headers.get("Authorization") for name, _, headers in fake.requests if name != HOOK}
    assert logins == {basic("loop", TOKEN)}
    assert "Authorization" not in fake.requests[-1][2]


OLD = STALE.total_seconds() / 60


@pytest.mark.parametrize(
    ("statuses", "missed"),
    [
        ([], True),
        ([status("image", "success"), status("train", "pending", 999)], True),
        ([status("ci", "pending", OLD + 1)], True),
        ([status("ci", "pending", OLD - 1)], False),
        ([status("train", "pending"), status("ci", "failure", 999)], False),
        ([status("ci", "error", 999)], False),
        ([status("ci", "success", 999)], False),
    ],
)
def test_missed_is_what_nobody_builds(statuses: list[dict[str, str]], missed: bool) -> None:
    assert is_missed(newest_status(statuses)) == missed


@pytest.mark.parametrize("broken", [{}, {"context": "ci", "status": "pending", "created_at": "soon"}, None])
def test_a_status_that_cannot_be_read_is_said(broken: Any) -> None:
    with pytest.raises(GiteaError, match="cannot be read"):
        is_missed(newest_status([broken]))


def test_times_of_other_zones_are_understood() -> None:
    east = timedelta(hours=5)
    shown = (datetime.now(UTC) + east - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S+05:00")
    assert not is_missed({"context": "ci", "status": "pending", "created_at": shown})
    assert is_missed({"context": "ci", "status": "pending", "created_at": "2026-01-01T00:00:00Z"})


def test_what_was_on_its_way_is_not_sent(fake: FakeServer, said: list[str]) -> None:
    hold(fake, "model_training", main=None)
    answer = f"GET /api/v1/repos/mlops/model_training/commits/{SHA}/status"
    fake.answers[answer] = [(200, {"statuses": None}), (200, {"statuses": [status("ci", "pending")]})]
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert said == ["branch heads looked at: 1, missed: 0, sent again: 0"]
    assert sent(fake) == []


def test_a_head_that_moved_between_the_looks_is_not_sent(fake: FakeServer, said: list[str]) -> None:
    hold(fake, "model_training", main=None, other=None)
    api = "GET /api/v1/repos/mlops/model_training/branches"
    first, second = ([branch("main", sha)] for sha in (SHA, OTHER))
    fake.answers[f"{api}?page=1&limit=50"] = [(200, first), (200, second)]
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert sent(fake) == []


def test_every_page_of_branches_is_read(fake: FakeServer, said: list[str]) -> None:
    hold(fake, "model_training", main=None, other=None)
    api = "GET /api/v1/repos/mlops/model_training/branches"
    for page, name, sha in ((1, "main", SHA), (2, "other", OTHER)):
        fake.answers[f"{api}?page={page}&limit=50"] = (200, [branch(name, sha)])
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert [ref for _, ref in sent(fake)] == ["refs/heads/main", "refs/heads/other"]
    fake.answers = {key: value for key, value in fake.answers.items() if "page=" not in key}
    fake.answers[api] = (200, [branch("main", SHA)])  # a server that knows no pages ends it too
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert said[-1] == "branch heads looked at: 1, missed: 1, sent again: 1"


def test_a_repository_that_fails_stops_no_other(fake: FakeServer, said: list[str]) -> None:
    hold(fake, "model_training", main=None)
    fake.answers["GET /api/v1/repos/mlops/airflow_dags/branches"] = (404, {"message": "not there"})
    with pytest.raises(
        CatchUpError, match=r"^airflow_dags: .*\(404\): not there; check ORGANISATION"
    ) as error:
        catch_up(settings_for(fake.url, *NAMES), said.append, pause=0)
    assert "model_training" not in str(error.value)
    assert sent(fake) == [("model_training", "refs/heads/main")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((403, {"message": "signature"}), r"\(403\): signature; check CI_WEBHOOK_SECRET"),
        ((404, {"jobs": None, "message": "no jobs"}), r"\(404\): no jobs; Jenkins has no job for it"),
        ((302, {}), r"\(302\).*check CI_HOOK_URL"),
        ((200, {"jobs": {"model_training": {"triggered": False}}}), "starts no build .*False.*filter"),
        ((200, {"jobs": {"model_training": "Exception"}}), "starts no build .*Exception"),
        ((200, {"jobs": None}), "is not Jenkins; check CI_HOOK_URL"),
        ((200, "hello"), "is not Jenkins; check CI_HOOK_URL"),
    ],
)
def test_a_refusal_of_jenkins_is_said(
    fake: FakeServer, said: list[str], answer: tuple[int, Any], reason: str
) -> None:
    hold(fake, "model_training", main=None, other=None)
    fake.answers[HOOK] = [answer, TAKEN]
    with pytest.raises(CatchUpError, match=rf"^model_training main {SHA[:12]}: .*{reason}"):
        catch_up(settings_for(fake.url), said.append, pause=0)
    assert said == [
        f"model_training other {OTHER[:12]}: sent again",
        "branch heads looked at: 2, missed: 2, sent again: 1",
    ]


def test_nothing_more_is_sent_once_jenkins_is_away(fake: FakeServer, said: list[str]) -> None:
    for name in NAMES:
        hold(fake, name, main=None, other=None)
    fake.answers[HOOK] = [TAKEN, (503, {}), TAKEN]
    with pytest.raises(CatchUpError, match=rf"^airflow_dags other {OTHER[:12]}: .*answers 503$"):
        catch_up(settings_for(fake.url, *NAMES), said.append, pause=0)
    assert len(sent(fake)) == 2
    assert said[1:] == [
        "Jenkins takes nothing now: what is left waits for the next time",
        "branch heads looked at: 4, missed: 2, sent again: 1",
    ]


def test_the_second_look_asks_for_missed_heads_alone(fake: FakeServer, said: list[str]) -> None:
    hold(fake, "airflow_dags", main=[status("ci", "success")])
    hold(fake, "model_training", main=None, other=[status("ci", "success")])
    catch_up(settings_for(fake.url, *NAMES), said.append, pause=0)
    asked = [name for name, _, _ in fake.requests if name.endswith("/status")]
    assert [(name.split("/")[5], name.split("/")[7]) for name in asked] == [
        ("airflow_dags", SHA),
        ("model_training", SHA),
        ("model_training", OTHER),
        ("model_training", SHA),
    ]


def test_each_head_is_sent_before_the_next_is_looked_at(fake: FakeServer, said: list[str]) -> None:
    """What is killed by the time limit of its job has sent what it had found."""
    hold(fake, "model_training", main=None, other=None)
    catch_up(settings_for(fake.url), said.append, pause=0)
    names = [name for name, _, _ in fake.requests]
    assert names.index(HOOK) < len(names) - 1 - names[::-1].index(f"{API}/commits/{OTHER}/status")


@pytest.mark.parametrize("answer", [(500, {}), (200, {"statuses": [{"context": "ci"}]}), (200, [])])
def test_a_head_that_cannot_be_read_hides_no_other(
    fake: FakeServer, said: list[str], answer: tuple[int, Any]
) -> None:
    hold(fake, "model_training", main=[], other=None)
    fake.answers[f"{API}/commits/{SHA}/status"] = answer
    with pytest.raises(CatchUpError, match=rf"^model_training main {SHA[:12]}: "):
        catch_up(settings_for(fake.url), said.append, pause=0)
    assert [ref for _, ref in sent(fake)] == ["refs/heads/other"]


def test_a_gitea_that_goes_away_is_not_asked_for_each_head(
    fake: FakeServer, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(fake, "model_training", main=None, other=None)
    asked: list[str] = []

    def combined(_: Gitea, __: str, commit: str) -> dict[str, Any]:
        asked.append(commit)
        raise Away("Gitea does not answer")

    monkeypatch.setattr(Gitea, "combined", combined)
    with pytest.raises(CatchUpError, match=r"^model_training: Gitea does not answer$"):
        catch_up(settings_for(fake.url), said.append, pause=0)
    assert asked == [SHA]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"archived": True}, "^model_training: it is archived"),
        ({"permissions": {"admin": False, "push": False, "pull": True}}, "^model_training: .*may not write"),
        ({"permissions": None}, "^model_training: .*may not write"),
    ],
)
def test_where_a_build_could_set_no_status_nothing_is_sent(
    fake: FakeServer, said: list[str], change: dict[str, Any], reason: str
) -> None:
    for name in ("model_training", "airflow_dags"):
        hold(fake, name, main=None)
    fake.answers[API] = (200, fake.answers[API][1] | change)
    with pytest.raises(CatchUpError, match=reason):
        catch_up(settings_for(fake.url, *reversed(NAMES)), said.append, pause=0)
    assert sent(fake) == [("airflow_dags", "refs/heads/main")]


# -- main, built for other branches


def page_of(number: int) -> str:
    return f"https://ci.localhost:8804/job/model_training/{number}/"


def build(fake: FakeServer, number: int, *branches: str) -> None:
    """Let Jenkins remember a build, as `tree` leaves it; without a branch none that has parameters."""
    given = [{"_class": "hudson.model.StringParameterValue", "name": "COMMIT", "value": SHA}]
    given += [{"name": "BRANCH_NAME", "value": branch} for branch in branches]
    actions = [{"_class": "hudson.model.CauseAction"}, {"parameters": given}, {}]
    tree = "tree=actions%5Bparameters%5Bname%2Cvalue%5D%5D"
    fake.answers[f"GET /job/model_training/{number}/api/json?{tree}"] = (200, {"actions": actions})


def built(fake: FakeServer, *pages: str, state: str = "success") -> None:
    """Let main have these statuses of CI, the newest first."""
    rows = [status("ci", state, page=page) for page in pages]
    hold(fake, "model_training", main=rows[:1])
    fake.answers[f"{API}/statuses/{SHA}"] = (200, [])
    rows += [status("image", "success", page="https://elsewhere/job/x/1/")]
    fake.answers[f"{API}/statuses/{SHA}?page=1&limit=50"] = (200, rows)


@pytest.mark.parametrize("state", ["success", "failure", "error"])
def test_main_that_was_built_for_another_branch_alone_is_sent(
    fake: FakeServer, said: list[str], state: str
) -> None:
    built(fake, page_of(7), page_of(6), "https://ci.localhost:8804/job/model_training/", "", state=state)
    build(fake, 7, "other")
    build(fake, 6, "another")
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert sent(fake) == [("model_training", "refs/heads/main")]
    asked = [headers for name, _, headers in fake.requests if name.startswith("GET /job/")]
    assert asked
    assert not any("Authorization" in headers for headers in asked)


@pytest.mark.parametrize(
    "pages", [[7], [8, 7], [8, 9], [9], [10]], ids=["main", "before", "forgotten", "gone", "no branch"]
)
def test_main_that_may_have_been_built_is_not_sent(
    fake: FakeServer, said: list[str], pages: list[int]
) -> None:
    built(fake, *map(page_of, pages))
    build(fake, 7, "main")
    build(fake, 8, "other")
    build(fake, 10)
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert said == ["branch heads looked at: 1, missed: 0, sent again: 0"]


def test_jenkins_is_asked_neither_for_other_branches_nor_for_what_still_runs(
    fake: FakeServer, said: list[str]
) -> None:
    running = [status("ci", "pending", page=page_of(8))]
    hold(fake, "model_training", main=running, other=[status("ci", "success", page=page_of(7))])
    catch_up(settings_for(fake.url), said.append, pause=0)
    hold(fake, "model_training", main=[status("ci", "success", page="https://ci.localhost/queue/7/")])
    catch_up(settings_for(fake.url), said.append, pause=0)
    assert not any(name.startswith("GET /job/") for name, _, _ in fake.requests)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((403, {"message": "no"}), r"\(403\): no; everybody must be allowed"),
        ((500, {}), "answers 500"),
        ((200, []), "is not Jenkins"),
        ((200, {"actions": [{"parameters": [{"value": "x"}]}]}), "is not Jenkins"),
    ],
)
def test_a_jenkins_that_does_not_tell_a_branch_is_said(
    fake: FakeServer, said: list[str], answer: tuple[int, Any], reason: str
) -> None:
    built(fake, page_of(7))
    fake.answers["GET /job/model_training/7/api/json"] = answer
    with pytest.raises(CatchUpError, match=rf"^model_training main {SHA[:12]}: .*{reason}"):
        catch_up(settings_for(fake.url), said.append, pause=0)
    assert sent(fake) == []


@pytest.mark.parametrize("answer", [(200, {"a": 1}), (200, [1]), (200, [{"name": "main"}])])
def test_what_is_not_gitea_is_said(fake: FakeServer, said: list[str], answer: tuple[int, Any]) -> None:
    fake.answers["GET /api/v1/repos/mlops/model_training/branches"] = answer
    with pytest.raises(CatchUpError, match="is not Gitea; check STATUS_URL"):
        catch_up(settings_for(fake.url), said.append, pause=0)


def run(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = os.environ | {
        "ORGANISATION": "mlops",
        "STATUS_URL": "http://127.0.0.1:9/api/v1",
        "STATUS_USER": "loop",
        "STATUS_TOKEN": TOKEN,
        "REPOSITORIES": "airflow_dags model_training",
        "CI_HOOK_URL": "http://127.0.0.1:9/invoke",
        "CI_WEBHOOK_SECRET": SECRET,
    }
    return subprocess.run([SCRIPTS / "ci", "catch-up"], env=env | settings, capture_output=True, text=True)


def test_the_command_says_what_is_away_or_missing() -> None:
    done = run({})
    assert (done.returncode, done.stdout) == (1, "branch heads looked at: 0, missed: 0, sent again: 0\n")
    assert "airflow_dags: http://127.0.0.1:9/api/v1/repos/mlops/airflow_dags/branches does not" in done.stderr
    assert "; model_training: http" in done.stderr
    for key in ("STATUS_USER", "REPOSITORIES", "CI_HOOK_URL", "CI_WEBHOOK_SECRET"):
        assert f"{key} is not set" in run({key: ""}).stderr


def test_settings_show_no_secret(fake: FakeServer) -> None:
    shown = repr(settings_for(fake.url))
    assert (TOKEN in shown, SECRET in shown) == (False, False)


# -- against a server that speaks as Gitea and Jenkins do


@pytest.fixture
def hosting(environment: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """`ci serve` that hosts model_training, empty, and a clone of it in `work`."""
    Path(environment["GIT_ROOT"]).rmdir()
    login = {"CI_ADMIN_USER": "sandbox", "CI_ADMIN_PASSWORD": "a-password"}
    server = Server(environment | login | {"CI_GIT_HTTP": "true"}).start()
    for path, body in (("orgs", {"username": "mlops"}), ("orgs/mlops/repos", {"name": "model_training"})):
        made = requests.post(
            f"{server.url}/api/v1/{path}", json=body, auth=("sandbox", "a-password"), timeout=30
        )
        assert made.status_code == 201, made.text
    git(tmp_path, "clone", "--quiet", f"{server.url}/mlops/model_training.git", "work")
    yield server
    if server.process.poll() is None:
        server.end()


def test_names_and_messages_reach_no_shell(hosting: Server, tmp_path: Path) -> None:
    """A pushed branch whose hook was lost is found, sent and built; its name and message stay data."""
    work, evil = tmp_path / "work", EVIL.format(tmp_path, tmp_path)
    bare = Path(hosting.environment["GIT_ROOT"]) / "model_training.git"
    message = f"$(touch {tmp_path}/pwned)`touch {tmp_path}/pwned`\n\n; touch {tmp_path}/pwned"
    steps = f"lint:\n\t@printf '%s' \"$$BRANCH_NAME\" > {tmp_path}/branch\ntest:\n\t@true\n"
    for name, text in {"Makefile": steps, "Jenkinsfile": JENKINSFILE}.items():
        (work / name).write_text(text)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", message)
    sha = git(work, "rev-parse", "HEAD")
    (bare / "hooks" / "post-receive").unlink()
    git(work, "push", "--quiet", str(bare), f"HEAD:refs/heads/{evil}")
    said: list[str] = []
    catch_up(settings_for(hosting.url), said.append, pause=0)
    assert said[0] == f"model_training {evil} {sha[:12]}: sent again"
    build = wait_for(lambda: (found := hosting.build("model_training")) and found["result"] and found)
    assert (build["result"], build["commit"], build["branch"]) == ("SUCCESS", sha, evil)
    assert (tmp_path / "branch").read_text() == evil
    catch_up(settings_for(hosting.url), said.append, pause=0)
    assert said[-1] == "branch heads looked at: 1, missed: 0, sent again: 0"
    assert not (tmp_path / "pwned").exists()


def test_a_wrong_secret_is_refused_by_the_server(hosting: Server, tmp_path: Path) -> None:
    work, bare = tmp_path / "work", Path(hosting.environment["GIT_ROOT"]) / "model_training.git"
    (work / "Makefile").write_text(MAKEFILE)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "First")
    (bare / "hooks" / "post-receive").unlink()
    git(work, "push", "--quiet", str(bare), "HEAD:refs/heads/main")
    wrong = dataclasses.replace(settings_for(hosting.url), webhook_secret="wrong")
    with pytest.raises(CatchUpError, match=r"\(403\).*check CI_WEBHOOK_SECRET"):
        catch_up(wrong, [].append, pause=0)
