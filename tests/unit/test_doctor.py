"""The doctor itself: order, skipping, time, secrets, what it prints; and that its page has every code."""

import json
import re
import threading
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sandbox import cli, context, open_page
from sandbox.doctor import check, diagnosis, machine
from sandbox.doctor.check import Absent, Broken, Case, Check, Finding
from sandbox.doctor.links import CHECKS
from sandbox.drivers.base import Service
from sandbox.errors import MachineError, ServiceError, SettingsError
from sandbox.http import ApiError
from sandbox.settings import create_env_file, load_settings, save_setting


def service(name: str, url: str = "", **changes) -> Service:
    return replace(Service(name, url, True, True, "since noon"), **changes)


def case(*services: Service, settings=None) -> Case:
    driver = SimpleNamespace(name="any", services=lambda: list(services))
    found = Case(lambda: SimpleNamespace(settings=settings, driver=driver))
    assert found.context.driver is driver
    return found


def broken(_: Case) -> str:
    raise Broken("the cause")


def whole(_: Case) -> str:
    return "seen"


def absent(_: Case) -> str:
    raise Absent("of another driver")


def findings(*checks: Check, case: Case | None = None, **limits: float) -> list[Finding]:
    return list(diagnosis.diagnose(checks, case or Case(), **limits))


def test_a_link_that_holds_and_one_that_does_not():
    first, second = findings(Check("D01", "a", whole, "Run: x"), Check("D02", "b", broken, "Run: y"))
    assert first == Finding("a", "ok", "D01", "seen")
    assert second == Finding("b", "failed", "D02", "the cause", "Run: y")


def test_the_hint_of_the_error_wins_over_that_of_the_check():
    def look(_: Case) -> str:
        raise Broken("x", "Run: this")

    assert findings(Check("D01", "a", look, "Run: that"))[0].hint == "Run: this"


def test_an_error_that_knows_only_the_service_leaves_the_hint_to_the_check():
    def look(_: Case) -> str:
        raise ApiError("CI: no connection", hint="Run: make status")

    assert findings(Check("D01", "a", look, "Run: that"))[0].hint == "Run: that"


def test_what_needs_a_broken_link_is_skipped_and_so_is_what_needs_that():
    checks = (
        Check("D01", "a", broken, ""),
        Check("D02", "b", whole, "", needs=("D01",)),
        Check("D03", "c", whole, "", needs=("D02",)),
        Check("D04", "d", whole, ""),
    )
    assert [(f.state, f.detail) for f in findings(*checks)[1:]] == [
        ("skipped", "needs D01"),
        ("skipped", "needs D02"),
        ("ok", "seen"),
    ]


def test_a_check_of_another_driver_is_skipped_with_its_reason():
    assert findings(Check("D01", "a", absent, ""))[0].state == "skipped"
    row = Check("D01", "a", broken, "", ("jenkins|ci", "gitea"))
    sees = [
        findings(row, case=case(*services))[0].detail
        for services in (
            [],
            [service("ci")],
            [service("ci", running=False), service("gitea")],
            [service("ci"), service("gitea")],
            [service("jenkins", running=False), service("ci"), service("gitea")],
        )
    ]
    assert sees == [
        "there is no service jenkins or ci here",
        "there is no service gitea here",
        "ci does not run",
        "the cause",
        "jenkins does not run",
    ]


def test_the_reason_is_the_missing_service_rather_than_a_link_that_it_has_not():
    checks = (Check("D01", "a", broken, ""), Check("D02", "b", whole, "", ("gitea",), ("D01",)))
    seen = case(service("ci"))
    assert findings(*checks, case=seen)[1].detail == "needs D01"
    assert seen.services
    assert findings(*checks, case=seen)[1].detail == "there is no service gitea here"


def test_the_hint_names_the_service_that_is_here():
    row = Check("D01", "a", broken, "Run: make logs SERVICE={service}", ("jenkins|ci",))
    assert findings(row, case=case(service("ci")))[0].hint == "Run: make logs SERVICE=ci"


@pytest.mark.parametrize("error", [KeyError("is_admin"), OSError("boom"), TypeError("None"), ValueError("x")])
def test_an_answer_that_nobody_expected_is_a_line_and_no_traceback(error):
    def look(_: Case) -> str:
        raise error

    (finding,) = findings(Check("D01", "a", look, "Run: x"))
    assert finding.state == "failed"
    assert type(error).__name__ in finding.detail
    assert finding.hint.startswith("Run: x")


def test_a_check_that_hangs_fails_and_the_next_one_is_made():
    release = threading.Event()

    kinds: list[bool] = []

    def hangs(_: Case) -> str:
        kinds.append(threading.current_thread().daemon)
        release.wait(60)
        return "late"

    first, second = findings(Check("D01", "a", hangs, "Run: x"), Check("D02", "b", whole, ""), seconds=0.05)
    release.set()
    assert (first.state, first.hint, second.state) == ("failed", "Run: x", "ok")
    assert "no answer within" in first.detail
    assert kinds == [True]  # else the command would not end before its threads do


def test_no_check_begins_when_the_time_of_all_is_over():
    (finding,) = findings(Check("D01", "a", lambda _: pytest.fail("looked"), ""), total=-1)
    assert (finding.state, finding.detail) == ("failed", "not looked at within -1 s")
    assert finding.hint.endswith("then: make doctor")


def test_no_secret_of_env_is_shown_and_a_finding_is_one_line(settings):
    def look(seen: Case) -> str:
        env = seen.settings
        said = f"{env.ci_token}\n at {env.gitea_admin_password} {env.jenkins_agent_key}\n" + "x" * 999
        raise Broken(said, f"Say {env.ci_token}")

    (finding,) = findings(Check("D01", "a", look, ""), case=case(settings=settings))
    assert finding.detail.startswith("… at … … xxx")
    assert "\n" not in finding.detail
    assert len(finding.detail) < 500
    assert finding.hint == "Say …"


def test_a_secret_is_hidden_before_the_line_is_cut(settings):
    def look(seen: Case) -> str:
        raise Broken("x" * (diagnosis.DETAIL - 2) + seen.settings.ci_token)

    (finding,) = findings(Check("D01", "a", look, ""), case=case(settings=settings))
    assert finding.detail == "x" * (diagnosis.DETAIL - 2) + "…"


def test_a_secret_that_may_be_a_word_hides_no_word(settings):
    seen = case(settings=replace(settings, ci_token="push", gitea_admin_password="pushed"))
    assert seen.discreet("a push, pushed") == "a push, …"


def test_findings_come_one_by_one():
    asked: list[str] = []

    def look(_: Case) -> str:
        asked.append("second")
        return ""

    running = diagnosis.diagnose((Check("D01", "a", whole, ""), Check("D02", "b", look, "")), Case())
    next(running)
    assert asked == []


def test_without_env_everything_else_is_skipped():
    def load():
        raise SettingsError("There is no .env yet.", "Run: make up")

    first, *rest = diagnosis.diagnose(case=Case(load))
    assert (first.code, first.state, first.hint) == ("D01", "failed", "Run: make up")
    assert {finding.state for finding in rest} == {"skipped"}
    assert len(rest) == len(CHECKS) - 1


def test_without_an_engine_only_the_machine_is_broken():
    def services():
        raise MachineError("P10 Docker does not answer", "Start Docker")

    driver = SimpleNamespace(name="docker", services=services)
    found = list(diagnosis.diagnose(case=Case(lambda: SimpleNamespace(settings=None, driver=driver))))
    assert [f.state for f in found] == ["ok", "failed", *["skipped"] * (len(CHECKS) - 2)]
    assert (found[1].detail, found[1].hint) == ("P10 Docker does not answer", "Start Docker")


def test_where_nothing_runs_one_link_is_broken_and_names_the_command():
    down = [service(name, running=False, healthy=False, detail="not created") for name in machine.LAYER]
    found = list(diagnosis.diagnose(case=case(*down)))
    assert [f.code for f in found if f.state == "failed"] == ["D03"]
    assert found[2].hint == "Run: make up"
    assert {f.state for f in found[3:]} == {"skipped"}


def test_an_ill_service_is_named_with_its_log_and_those_of_other_layers_are_not():
    seen = case(service("gitea"), service("jenkins", healthy=False), service("mlflow", healthy=False))
    with pytest.raises(Broken, match=r"^jenkins: since noon$") as caught:
        machine.services(seen)
    assert caught.value.hint == "Run: make logs SERVICE=jenkins"
    assert machine.services(case(service("ci"))) == "ci healthy"


def test_the_doctor_reads_env(monkeypatch, settings):
    monkeypatch.setattr(check, "load_settings", lambda: replace(settings, driver="embedded"))
    assert check.read_only_context().driver.name == "embedded"


def test_the_doctor_does_not_write_env_where_every_other_command_adds_a_line(monkeypatch, folder):
    create_env_file(folder)
    save_setting("DRIVER", "embedded", folder)
    env = folder / ".env"
    lines = env.read_text().splitlines(keepends=True)
    env.write_text("".join(line for line in lines if not line.startswith("CI_KEEP_DAYS=")))
    before = env.read_bytes()
    monkeypatch.setattr(context, "ROOT", folder)
    for name, function in (("load_settings", load_settings), ("create_env_file", create_env_file)):
        for module in (check, context):
            monkeypatch.setattr(module, name, partial(function, folder), raising=False)
    (finding, *_) = diagnosis.diagnose()
    assert (finding.code, "CI_KEEP_DAYS is missing" in finding.detail) == ("D01", True)
    assert env.read_bytes() == before
    context.Context.load()
    assert env.read_bytes() != before


def run(monkeypatch, found: list[Finding], *arguments: str):
    monkeypatch.setattr("sandbox.doctor.diagnose", lambda: iter(found))
    return CliRunner().invoke(cli.cli, ["doctor", *arguments])


LONG = "word " * 40 + "end"  # a line stays one, however wide the terminal is
FOUND = [
    Finding("a", "ok", "D01", f"seen [x] {LONG}"),
    Finding("b", "failed", "D02", "cause", "Run: make up"),
    Finding("c", "skipped", "D03", "needs D02"),
]


def test_for_people_a_line_each_and_exit_code_one(monkeypatch, capsys):
    for finding in FOUND:
        diagnosis.show(finding)
    diagnosis.show_summary(FOUND)
    assert capsys.readouterr().out.splitlines() == [
        f"✓ a: seen [x] {LONG}",
        "✗ D02 b: cause",
        "  Run: make up",
        "- c: skipped, needs D02",
        "",
        "links: 1 hold, 1 broken, 1 skipped; begin with D02",
    ]
    assert run(monkeypatch, FOUND).exit_code == 1
    assert run(monkeypatch, [FOUND[0], FOUND[2]]).exit_code == 0


def test_for_machines_one_document(monkeypatch):
    assert run(monkeypatch, FOUND, "-o", "json").exit_code == 1
    documents: list[object] = []
    monkeypatch.setattr(cli.console, "emit_json", documents.append)
    run(monkeypatch, FOUND, "-o", "json")
    (document,) = json.loads(json.dumps(documents))
    assert [set(row) for row in document] == [{"link", "state", "code", "detail", "hint"}] * 3
    assert [row["state"] for row in document] == ["ok", "failed", "skipped"]


def test_codes_are_in_order_and_a_need_comes_before_who_needs_it():
    assert [check.code for check in CHECKS] == [f"D{n:02}" for n in range(1, len(CHECKS) + 1)]
    assert all(need < check.code for check in CHECKS for need in check.needs)


def test_the_page_has_each_code_with_its_link_and_commands_that_exist(root):
    page = (root / "docs/doctor.md").read_text()
    rows = re.findall(r"^\| (D\d\d) \| ([^|]+) \|", page, re.MULTILINE)
    assert rows == [(check.code, check.link) for check in CHECKS]
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    hints = "\n".join(path.read_text() for path in (root / "scripts/sandbox/doctor").glob("*.py"))
    named = set(re.findall(r"\bmake ([a-z-]+)", page)) | set(
        re.findall(r"(?:Run|then): make ([a-z-]+)", hints)
    )
    assert {"up", "logs"} <= named <= targets


PAGES = [service("ci", "http://c/"), service("mlflow", "http://m/"), service("scheduler")]


def test_where_no_page_is_that_is_said():
    with pytest.raises(ServiceError, match="no page of code or builds here") as caught:
        find("")
    assert caught.value.hint == "Pages: none; run make up"


def find(name: str, *services: Service) -> str:
    return open_page.find_page(case(*services).context, name).url


def test_without_a_name_the_page_is_where_a_loop_begins():
    assert find("", *PAGES) == "http://c/"
    assert find("", *PAGES, service("gitea", "http://g/")) == "http://g/"
    assert find("mlflow", *PAGES) == "http://m/"


@pytest.mark.parametrize("name", ["scheduler", "nothing", "mysql"])
def test_what_has_no_page_is_said_with_those_that_have_one(name):
    with pytest.raises(ServiceError, match=f"no page of '{name}'") as caught:
        find(name, *PAGES, service("mysql", "127.0.0.1:8809"))
    assert caught.value.hint == "Pages: ci, mlflow"


@pytest.mark.parametrize("answer", [False, open_page.webbrowser.Error("none"), OSError("none")])
def test_without_a_browser_the_address_is_printed(monkeypatch, capsys, answer):
    def browse(_: str) -> bool:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(open_page.webbrowser, "open", browse)
    open_page.open_page(service("x", "http://x/", user="admin"))
    said = capsys.readouterr()
    assert said.out == "http://x/\n"
    assert "make credentials" in said.err


def test_with_a_browser_the_address_is_opened(monkeypatch, capsys):
    opened: list[str] = []
    monkeypatch.setattr(open_page.webbrowser, "open", lambda url: opened.append(url) or True)
    open_page.open_page(service("x", "http://x/"))
    assert opened == ["http://x/"]
    assert capsys.readouterr().out == ""


def test_the_page_of_a_service_that_is_down_is_not_opened(monkeypatch):
    monkeypatch.setattr(open_page.webbrowser, "open", lambda _: pytest.fail("opened"))
    with pytest.raises(ServiceError, match="x does not run"):
        open_page.open_page(service("x", "http://x/", running=False))
