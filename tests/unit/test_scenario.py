"""`sandbox scenario` on bare repositories: what it pushes, in which order, and what it leaves alone."""

import json
import shlex
import subprocess
from types import SimpleNamespace

import pytest

from sandbox import scenario as module
from sandbox.errors import LoopError
from sandbox.git import IDENTITY, git
from sandbox.raw_store import Folder
from sandbox.receipt import Receipt, Stage
from sandbox.scenario import bring, curl_line, show_brought
from sandbox.scenarios import SCENARIOS
from sandbox.settings import CODE, DATA

PASSED = Receipt("x", "x", "x", "passed", 1.0, [Stage("verify", "passed")])
ANSWER = {"predictions": ["yes"]}


class FakeApi:
    """Serves one model, and after a loop the one it `becomes`."""

    def __init__(self, name):
        self.served, self.asked = {"name": name, "version": "3", "git_sha": "c" * 40}, []
        self.becomes = name

    def after_a_loop(self):
        self.served["name"] = self.becomes

    def model(self):
        return self.served

    def predict(self, request):
        self.asked.append(request)
        return SimpleNamespace(json=lambda: ANSWER)


@pytest.fixture
def context(tmp_path, monkeypatch):
    """Both repositories with the params.yaml of iris and another file, and what was followed or started."""
    for name in (DATA, CODE):
        folder = tmp_path / f"{name}.work"
        folder.mkdir()
        git("init", "--quiet", "--initial-branch=main", folder=folder)
        (folder / "params.yaml").write_bytes(SCENARIOS["iris"].params[name].read_bytes())
        (folder / "README.md").write_text("A person's own words\n")
        commit(folder, "One")
        git("clone", "--quiet", "--bare", str(folder), str(tmp_path / f"{name}.git"), folder=tmp_path)
        git("remote", "add", "origin", str(tmp_path / f"{name}.git"), folder=folder)
    followed, started, api, builds = [], [], FakeApi("iris"), {}

    def follow(_context, ref, _seconds):
        followed.append(ref)
        api.after_a_loop()
        return PASSED

    monkeypatch.setattr(module.trace, "follow", follow)
    monkeypatch.setattr(module.trace, "trace", lambda _c, ref: Receipt(ref, ref, "", "passed", None))
    monkeypatch.setattr(
        module, "start_and_follow", lambda _c, dag, conf, _s: started.append((dag, conf)) or PASSED
    )
    monkeypatch.setattr(module, "raw_store", lambda _context: Folder(tmp_path / "data"))
    return SimpleNamespace(
        endpoints=SimpleNamespace(
            clone_url=lambda name: f"file://{tmp_path}/{name}.git",
            prediction_api=SimpleNamespace(outside="http://127.0.0.1:1"),
        ),
        settings=SimpleNamespace(api_token="", model_name="", model_pin=""),
        driver=SimpleNamespace(services=lambda: [SimpleNamespace(running=True)]),
        prediction_api=api,
        folder=tmp_path,
        followed=followed,
        started=started,
        statuses=SimpleNamespace(of=lambda _name, commit: (commit, builds.get(commit, []))),
        builds=builds,
    )


def commit(folder, message):
    git("add", "--all", folder=folder)
    git("commit", "--quiet", "--message", message, folder=folder, env=IDENTITY)


def look(context, name, *arguments):
    return git(*arguments, folder=context.folder / f"{name}.git")


def edit(context, name, text):
    """A person's own params.yaml on main; its commit."""
    folder = context.folder / f"{name}.work"
    git("pull", "--quiet", "origin", "main", folder=folder)
    (folder / "params.yaml").write_text(text)
    commit(folder, "My own")
    git("push", "--quiet", "origin", "main", folder=folder)
    return git("rev-parse", "HEAD", folder=folder)


def test_both_params_are_pushed_and_only_the_last_commit_starts_a_run(context):
    context.prediction_api.becomes = "heart"
    brought = bring(context, "heart", 1)
    assert list(brought.pushed) == [DATA, CODE]
    for name, sha in brought.pushed.items():
        assert look(context, name, "rev-parse", "main") == sha
        assert look(context, name, "diff", "--name-only", f"{sha}~", sha) == "params.yaml"
        pushed = look(context, name, "show", f"{sha}:params.yaml")
        assert pushed == SCENARIOS["heart"].params[name].read_text().strip()
    trailers = [look(context, name, "log", "-1", "--format=%(trailers)", "main") for name in (DATA, CODE)]
    assert trailers == ["Starts-Run: no", ""]
    assert context.followed == [brought.pushed[CODE]]
    assert (context.folder / "data/heart-synthetic.csv").read_bytes() == SCENARIOS["heart"].raw()
    assert context.prediction_api.asked == [SCENARIOS["heart"].example]


def test_what_is_served_already_is_left_alone(context, capsys):
    brought = bring(context, "iris", 1)
    assert (brought.pushed, context.followed, context.started) == ({}, [], [])
    assert brought.receipt.ref == "iris/3"
    assert "nothing to do: iris version 3 is served" in capsys.readouterr().err


def test_a_raw_file_that_is_there_stays(context):
    (context.folder / "data").mkdir()
    (context.folder / "data/heart-synthetic.csv").write_text("mine")
    bring(context, "heart", 1)
    assert (context.folder / "data/heart-synthetic.csv").read_text() == "mine"


@pytest.mark.parametrize("name", [DATA, CODE])
def test_what_was_pushed_half_is_completed_by_a_push_that_starts_the_run(context, name):
    bring(context, "heart", 1)
    edit(context, name, SCENARIOS["iris"].params[name].read_text())
    brought = bring(context, "heart", 1)
    assert list(brought.pushed) == [name]
    assert look(context, name, "log", "-1", "--format=%(trailers)", "main") == ""
    assert context.followed[-1] == brought.pushed[name]


def test_what_was_pushed_and_is_not_served_is_run_again(context):
    bring(context, "heart", 1)
    brought = bring(context, "heart", 1)
    assert brought.pushed == {}
    assert context.started == [("train_and_serve", {"reason": "manual"})]


def built(context, commit, *states):
    """CI said this of a commit, the newest last."""
    context.builds[commit] = [{"context": "ci", "status": state} for state in ("pending", *states)]


@pytest.mark.parametrize("red", [[DATA], [CODE], [DATA, CODE]])
def test_a_red_build_after_both_pushes_is_healed_by_the_same_command(context, capsys, red):
    """The run would take the green commits of before, and the other model with them."""
    pushed = bring(context, "heart", 1).pushed
    for name, commit in pushed.items():
        built(context, commit, "failure" if name in red else "success")
    again = bring(context, "heart", 1).pushed
    assert list(again) == red
    for name, commit in again.items():
        assert look(context, name, "rev-parse", f"{commit}~") == pushed[name]
        assert look(context, name, "diff", "--name-only", pushed[name], commit) == ""
    said = capsys.readouterr().err
    assert all(f"the build of {name} {pushed[name][:12]} was red" in said for name in red)
    trailers = [look(context, name, "log", "-1", "--format=%(trailers)", "main") for name in red]
    assert trailers == ["Starts-Run: no", ""][-len(red) :]
    assert (context.followed[-1], context.started) == (again[red[-1]], [])


def test_a_red_build_that_was_green_at_last_is_left_alone(context):
    for commit in bring(context, "heart", 1).pushed.values():
        built(context, commit, "error", "pending", "success")
    assert bring(context, "heart", 1).pushed == {}


def test_a_red_head_of_the_model_that_is_served_is_somebodys_own_affair(context):
    built(context, look(context, CODE, "rev-parse", "main"), "failure")
    assert bring(context, "iris", 1).pushed == {}


@pytest.mark.parametrize("state", ["running", "waiting"])
def test_what_was_pushed_and_is_on_its_way_is_followed(context, monkeypatch, state):
    bring(context, "heart", 1)
    monkeypatch.setattr(
        module.trace, "trace", lambda _c, _ref: Receipt("manual-7", "manual-7", "", state, None)
    )
    bring(context, "heart", 1)
    assert (context.followed[-1], context.started) == ("manual-7", [])


def test_a_params_file_of_a_persons_own_is_named_and_stays_in_git(context, capsys):
    mine = edit(context, CODE, "model: iris\nseed: 7\n")
    bring(context, "heart", 1)
    said = capsys.readouterr().err
    assert f"params.yaml of {CODE} was a person's own" in said
    assert f"git checkout {mine[:12]} -- params.yaml" in said
    assert f"params.yaml of {DATA}" not in said
    assert look(context, CODE, "show", f"{mine}:params.yaml") == "model: iris\nseed: 7"
    assert f"params.yaml before: {mine}" in look(context, CODE, "log", "-1", "--format=%B", "main")


@pytest.mark.parametrize(("setting", "value"), [("model_name", "iris"), ("model_pin", "3")])
def test_an_api_that_serves_something_else_alone_is_named(context, setting, value):
    setattr(context.settings, setting, value)
    with pytest.raises(LoopError, match=f"{setting.upper()}={value}"):
        bring(context, "heart", 1)
    assert not (context.folder / "data").exists()


def test_a_stopped_sandbox_gets_nothing(context):
    context.driver.services = lambda: [SimpleNamespace(running=False)]
    with pytest.raises(LoopError, match="stopped"):
        bring(context, "heart", 1)
    assert not (context.folder / "data").exists()


def test_a_loop_that_did_not_pass_shows_no_example(context, monkeypatch, capsys):
    rejected = Receipt("x", "x", "x", "rejected", 1.0, [Stage("gate", "rejected")])
    monkeypatch.setattr(module.trace, "follow", lambda *_: rejected)
    brought = bring(context, "heart", 1)
    show_brought(brought)
    assert "curl" not in capsys.readouterr().out
    assert brought.as_json()["example"]["answer"] is None


def test_the_json_is_the_receipt_with_what_was_pushed_and_the_example(context):
    context.prediction_api.becomes = "sentiment"
    told = bring(context, "sentiment", 1).as_json()
    assert (told["state"], told["scenario"], list(told["pushed"])) == ("passed", "sentiment", [DATA, CODE])
    assert told["example"]["url"] == "http://127.0.0.1:1/predict"
    assert told["example"]["answer"] == ANSWER


def test_where_another_model_came_to_be_served_it_is_not_asked(context, capsys):
    assert bring(context, "heart", 1).answer is None
    assert context.prediction_api.asked == []
    assert "iris is served now, not heart" in capsys.readouterr().err


def test_the_curl_line_survives_a_shell():
    words = shlex.split(curl_line("http://x/predict", {"text": "it's très bon"}, token=False))
    assert json.loads(words[-1]) == {"text": "it's très bon"}


def test_the_curl_line_takes_the_token_of_the_env_file(tmp_path):
    """By the shell, so that no token is printed."""
    (tmp_path / ".env").write_text("CI_TOKEN=no\nAPI_TOKENS=me:a-token,you:another\n")
    line = curl_line("http://x/predict", {"text": "x"}, token=True)
    shown = subprocess.run(
        ["sh", "-c", line.replace("curl -s", "printf '%s\\n'", 1)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.splitlines()[:3] == ["http://x/predict", "-H", "Authorization: Bearer a-token"]
