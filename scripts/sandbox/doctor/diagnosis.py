"""Runs the checks one after the other: each has its time, and whatever happens becomes a line."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from threading import Thread

from rich.console import Group
from rich.text import Text

from sandbox import console
from sandbox.doctor.check import Absent, Case, Check, Finding
from sandbox.doctor.links import CHECKS
from sandbox.errors import SandboxError
from sandbox.http import ApiError
from sandbox.wait import Deadline

CHECK_SECONDS = 25.0  # of one check
TOTAL_SECONDS = 120.0  # after which no further one begins
DETAIL = 400  # characters of a line
SIGNS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "dim")}
LATE = "Mend what is broken above, then: make doctor"
BUG = "If this stays, it is a bug of the sandbox: look at the code in docs/doctor.md"


def diagnose(
    checks: Iterable[Check] = CHECKS,
    case: Case | None = None,
    seconds: float = CHECK_SECONDS,
    total: float = TOTAL_SECONDS,
) -> Iterator[Finding]:
    """What each check finds, as soon as it is known. Changes nothing and raises nothing."""
    case, deadline = case or Case(), Deadline(total)
    whole: set[str] = set()
    for check in checks:
        lacking = [code for code in check.needs if code not in whole]
        if deadline.passed():
            finding = Finding(check.link, "failed", check.code, f"not looked at within {total:.0f} s", LATE)
        elif lacking:
            detail = check.absence(case) or f"needs {', '.join(lacking)}"
            finding = Finding(check.link, "skipped", check.code, detail)
        else:
            finding = _in_time(check, case, seconds)
        if finding.state == "ok":
            whole.add(check.code)
        yield finding


def _in_time(check: Check, case: Case, seconds: float) -> Finding:
    found: list[Finding] = []
    # A thread that hangs ends with the command: it must not keep it.
    thread = Thread(target=lambda: found.append(_examine(check, case)), daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    hint = check.hint.format(service=check.services[0].split("|")[0] if check.services else "")
    return Finding(check.link, "failed", check.code, f"no answer within {seconds:.0f} s", hint)


def _examine(check: Check, case: Case) -> Finding:
    finding = _look(check, case)
    said, hint = case.discreet(finding.detail), case.discreet(finding.hint)
    return replace(finding, detail=said if len(said) <= DETAIL else f"{said[:DETAIL]}…", hint=hint)


def _look(check: Check, case: Case) -> Finding:
    hint = check.hint
    try:
        hint = check.hint.format(service=next(iter(check.used(case)), ""))
        return Finding(check.link, "ok", check.code, check.look(case))
    except Absent as absent:
        return Finding(check.link, "skipped", check.code, str(absent))
    except SandboxError as error:
        own = "" if type(error) is ApiError else error.hint  # that one knows no link, only the service
        return Finding(check.link, "failed", check.code, str(error), own or hint)
    except Exception as error:  # a service may answer anything: a person gets a line all the same
        return Finding(check.link, "failed", check.code, f"{type(error).__name__}: {error}", f"{hint}. {BUG}")


def show(finding: Finding) -> None:
    """One line for people; below a broken link the command that mends it."""
    sign, style = SIGNS[finding.state]
    code = f"{finding.code} " if finding.state == "failed" else ""
    skipped = "skipped, " if finding.state == "skipped" else ""
    line = Text(f"{sign} ", style).append(f"{code}{finding.link}: {skipped}{finding.detail}", "default")
    _print(line)
    if finding.state == "failed":
        _print(Text(f"  {finding.hint}"))


def show_summary(findings: list[Finding]) -> None:
    """How many links hold; the first broken one is the one to mend first."""
    holding, broken, skipped = (
        [finding for finding in findings if finding.state == state] for state in ("ok", "failed", "skipped")
    )
    begin = f"; begin with {broken[0].code}" if broken else ""
    console.say()
    console.say(f"links: {len(holding)} hold, {len(broken)} broken, {len(skipped)} skipped{begin}")


def _print(line: Text) -> None:
    line.no_wrap, line.overflow = True, "ignore"  # a terminal breaks it, a file keeps the line
    console.show(Group(line))  # alone it would be copied without these
