"""The `sandbox` command: every verb is a few lines here; the only place that exits."""

import errno
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sandbox import (
    by_hand,
    challenge,
    console,
    data_push,
    demo,
    drift,
    load_run,
    promotion,
    rebuild,
    run_by_hand,
    trace,
)
from sandbox.clone import clone_repository
from sandbox.context import Context
from sandbox.errors import MachineError, SandboxError, ServiceError, SettingsError, UnknownReference
from sandbox.locking import only_one
from sandbox.open_page import find_page, open_page
from sandbox.preflight import disk_shortage
from sandbox.receipt import DAG, Receipt
from sandbox.reference import VERSION
from sandbox.scenario import bring, show_brought
from sandbox.scenarios import SCENARIOS
from sandbox.settings import REPOSITORIES, ROOT, load_settings
from sandbox.status import describe, show_status
from sandbox.traced_prediction import TracedPrediction, show_prediction, trace_prediction

TRACE_SECONDS = 1800.0
REASONS = ("manual", "data", "drift", "schedule")  # docs/architecture.md, seam 8; a push has its own way


class Finite(click.FloatRange):
    """A range without the number that is none, which compares with nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Raises BadParameter, shown by Click."""
        number = super().convert(value, param, ctx)
        return number if math.isfinite(number) else self.fail(f"{value!r} is no number.", param, ctx)


output = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Text for people, JSON for machines.",
)
timeout = click.option(
    "--timeout",
    default=TRACE_SECONDS,
    type=click.FloatRange(min=0, max=86400),
    show_default=True,
    help="Longest wait in seconds.",
)
model = click.option("--model", default="", help="Registered model; without it: the served one.")


def _model_version(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and not VERSION.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no model version: 3 or iris/3 is one.")
    return value


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlops-sandbox")
def cli() -> None:
    """A commit that you push becomes a served model that you can watch."""


@cli.command()
@output
def up(output: str) -> None:
    """Start everything, run the first loop. Safe to run again."""
    from sandbox import start  # loads MinIO's client; half a second that no other command need wait

    context = start.bring_up()
    if output == "json":
        console.emit_json(describe(context))
    else:
        start.show_next(context)


@cli.command()
def down() -> None:
    """Stop everything, keep all data."""
    with only_one("down"):
        stopped = Context.load().driver.stop()
    console.done("stopped; all data is kept. Start again: make up" if stopped else "nothing was running")


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(yes: bool) -> None:
    """Show what would be deleted, ask, delete it."""
    driver = Context.load().driver
    footprint = driver.footprint()
    if not footprint.sizes:
        console.done("there is nothing to delete")
        return
    rows = [[name, f"{size / 1024**2:.0f}"] for name, size in footprint.sizes.items()]
    console.say(f"This deletes {footprint.where}:")
    console.show(console.table(["What", "MiB"], rows))
    if not yes and not click.confirm("Delete all of it?"):
        console.note("nothing was deleted")
        return
    with only_one("destroy"):
        driver.destroy()
    console.done("deleted; .env and the tool itself (.venv) are kept, clones have lost their origin")


@cli.command()
@output
def status(output: str) -> None:
    """Services, where the state lies, the served model. Exit 1 if a service is not healthy."""
    described = describe(Context.load())
    if output == "json":
        console.emit_json(described)
    else:
        show_status(described)
    if not all(service["healthy"] for service in described["services"]):
        sys.exit(1)


@cli.command()
@click.argument("repository", type=click.Choice(REPOSITORIES))
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
def clone(repository: str, folder: Path | None) -> None:
    """A clone of REPOSITORY in FOLDER that can push without asking."""
    target = clone_repository(Context.load(), repository, folder or Path(repository))
    console.done(f"cloned into {target}. Edit, commit, git push there; then here: make trace")


@cli.command(name="trace")
@click.argument("ref", default="")
@click.option("--wait", is_flag=True, help="Follow live until the loop has ended.")
@timeout
@output
def trace_command(ref: str, wait: bool, timeout: float, output: str) -> None:
    """The receipt of a loop. REF: commit, tag, model version, run id; without it: the newest.

    REF may be the X-Request-Id of a prediction too: that prediction, and the receipt of its version.

    Exit code: 0 passed, 1 failed or rejected, 3 waiting for a promotion; 0 too while it runs.
    """
    context = Context.load()
    try:
        _end_with(trace.follow(context, ref, timeout) if wait else trace.trace(context, ref), output)
    except UnknownReference as unknown:
        _end_with_prediction(trace_prediction(context, unknown), output)


def _end_with_prediction(traced: TracedPrediction, output: str) -> None:
    """Show a prediction with its receipt and exit as that ended."""
    if output == "json":
        console.emit_json(traced.as_json())
    else:
        show_prediction(traced)
    sys.exit(traced.exit_code)


def _end_with(receipt: Receipt, output: str) -> None:
    """Show a receipt and exit as it ended."""
    if output == "json":
        console.emit_json(receipt.as_json())
    else:
        trace.show_receipt(receipt)
    sys.exit(trace.exit_code(receipt))


@cli.command(name="run")
@click.option(
    "--code", default="", help="Commit, CV_ tag or model version; without it: the newest green one."
)
@click.option("--data", default="", help="Data version or DV_ tag; without it: made from the raw data.")
@click.option("--reason", type=click.Choice(REASONS), default="manual", show_default=True)
@click.option("--no-promote", is_flag=True, help="Train, judge and register; the champion stays.")
@click.option("--dry-run", is_flag=True, help="Check and show what would be started, start nothing.")
@timeout
@output
def run_command(
    code: str, data: str, reason: str, no_promote: bool, dry_run: bool, timeout: float, output: str
) -> None:
    """Start the loop by hand and follow it, at old commits or with old data where they are named.

    Exit code: 0 passed, 1 failed or rejected, 3 waiting for a promotion.
    """
    context = Context.load()
    conf = run_by_hand.conf_of_run(context, code, data, reason, promote=not no_promote)
    if not dry_run:
        rebuild.bring_images(context, conf)
        _end_with(by_hand.start_and_follow(context, DAG, conf, timeout), output)
    plan = run_by_hand.planned(context, conf)
    if output == "json":
        console.emit_json(plan)
    else:
        run_by_hand.show_planned(plan)


@cli.group()
def data() -> None:
    """The raw data."""


@data.command(name="push")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", default="", help="Name in the data store; without it: the one the loop reads.")
@timeout
@output
def data_push_command(file: Path, name: str, timeout: float, output: str) -> None:
    """Make the CSV FILE the raw data, start the loop and follow it. Exit codes are those of `run`."""
    _end_with(data_push.push_data(Context.load(), file, name, timeout), output)


@cli.command(name="promote")
@click.argument("version", callback=_model_version)
@model
@timeout
@output
def promote_command(version: str, model: str, timeout: float, output: str) -> None:
    """Serve the registered VERSION (3 or iris/3): promote → serve → verify, else the old one stays."""
    if not version:
        raise click.UsageError("Name the version: sandbox promote 3")
    _end_with(promotion.promote(Context.load(), version, model, "promote", timeout), output)


@cli.command()
@click.argument("version", default="", callback=_model_version)
@model
@timeout
@output
def rollback(version: str, model: str, timeout: float, output: str) -> None:
    """Serve VERSION again; without it: the version that the served one replaced."""
    _end_with(promotion.roll_back(Context.load(), version, model, timeout), output)


@cli.command(name="load")
@click.option("--rate", default=50.0, type=Finite(0.1, 2000), help="Requests a second [50].")
@click.option("--seconds", default=20.0, type=Finite(1, 86400), help="How long [20].")
@click.option("--rows", default=1, type=click.IntRange(1, 1000), help="Rows of a request [1].")
@output
def load_command(rate: float, seconds: float, rows: int, output: str) -> None:
    """Predict at a steady rate; shows latencies. Exit code 1 where a request failed."""
    found = load_run.run_load(Context.load(), rate, seconds, rows)
    if output == "json":
        console.emit_json(found)
    else:
        load_run.show_load(found)
    sys.exit(1 if found["failed"] or not found["requests"] else 0)


@cli.command(name="drift")
@click.option("--shift", default=3.0, type=Finite(-100, 100), help="Standard deviations [3]; 0: none.")
@click.option("--rows", default=500, type=click.IntRange(1, 5000), help="Rows to ask about [500].")
@timeout
@output
def drift_command(shift: float, rows: int, timeout: float, output: str) -> None:
    """Ask about rows unlike training, have them judged, follow the loop that starts (once in a window).

    Exit codes are those of `run`; 0 where no loop was started.
    """
    found = drift.run_drift(Context.load(), shift, rows, timeout)
    if output == "json":
        console.emit_json(found.as_json())
    else:
        drift.show_drift(found)
    sys.exit(drift.exit_code(found))


@cli.command(name="challenge")
@click.argument("version", default="", callback=_model_version)
@click.option("--percent", default=10.0, type=Finite(0, 100), help="Share of the requests [10].")
@click.option("--shadow", is_flag=True, help="Answer nothing, predict beside.")
@click.option("--off", is_flag=True, help="Nobody challenges any more.")
@model
@output
def challenge_command(version: str, percent: float, shadow: bool, off: bool, model: str, output: str) -> None:
    """Let VERSION (3 or iris/3) answer a share of the predictions beside the champion."""
    if bool(version) == off:
        raise click.UsageError("Name the version: sandbox challenge 3; or end it: sandbox challenge --off")
    context = Context.load()
    about = (
        challenge.end_challenge(context, model)
        if off
        else challenge.challenge(context, version, model, percent, shadow)
    )
    if output == "json":
        console.emit_json(about)
    else:
        challenge.show_challenge(about)


@cli.command(name="scenario")
@click.argument("name", type=click.Choice([*SCENARIOS]))
@timeout
@output
def scenario_command(name: str, timeout: float, output: str) -> None:
    """Push data and model of the scenario NAME, follow the loop; nothing where it is served as shipped.

    Exit codes are those of `run`.
    """
    brought = bring(Context.load(), name, timeout)
    if output == "json":
        console.emit_json(brought.as_json())
    else:
        show_brought(brought)
    sys.exit(trace.exit_code(brought.receipt))


@cli.command(name="demo")
def demo_command() -> None:
    """Push a harmless commit, watch it being served, predict."""
    sys.exit(demo.run_demo(Context.load()))


@cli.command()
@click.argument("service", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come.")
@click.option(
    "-n", "--lines", default=50, type=click.IntRange(min=0), show_default=True, help="Newest lines to show."
)
def logs(service: str, follow: bool, lines: int) -> None:
    """The newest log lines of SERVICE, or of every service."""
    for line in Context.load().driver.logs(service, lines, follow):
        console.say(line)


@cli.command(name="doctor")
@output
def doctor_command(output: str) -> None:
    """Follow every link from Git to CI and say which is broken, why, and what mends it. Changes nothing.

    Exit code: 0 every link holds, 1 one is broken. Codes: docs/doctor.md.
    """
    from sandbox import doctor  # as `start`

    findings = []
    for finding in doctor.diagnose():
        findings.append(finding)
        if output == "text":
            doctor.show(finding)
    if output == "json":
        console.emit_json([asdict(finding) for finding in findings])
    else:
        doctor.show_summary(findings)
    if any(finding.state == "failed" for finding in findings):
        sys.exit(1)


@cli.command(name="open")
@click.argument("service", default="")
@click.option("--print", "only_print", is_flag=True, help="Print the address, open nothing.")
def open_command(service: str, only_print: bool) -> None:
    """Open the page of SERVICE in the browser; without it: where the code and its builds are."""
    page = find_page(Context.load(), service)
    if only_print:
        console.say(page.url)
    else:
        open_page(page)


@cli.command()
@output
def credentials(output: str) -> None:
    """Addresses and logins of the services."""
    rows = [service for service in Context.load().driver.services() if service.url]
    if output == "json":
        listed = [{"name": s.name, "url": s.url, "user": s.user, "password": s.password} for s in rows]
        console.emit_json(listed)
    else:
        lines = [[s.name, s.url, s.user or "none needed", s.password] for s in rows]
        console.show(console.table(["Service", "Address", "User", "Password"], lines))


def _disk_shortage_behind(error: SandboxError) -> str:
    """What the embedded servers' disk lacks where a full one may have caused this; it has many faces."""
    if not isinstance(error, MachineError | ServiceError):
        return ""
    try:
        embedded = load_settings().driver == "embedded"
    except SettingsError:  # nothing runs yet
        return ""
    return disk_shortage(ROOT / ".sandbox") if embedded else ""


def main() -> Any:
    """Run a command; an expected failure becomes a message, a hint and exit code 1."""
    try:
        cli(standalone_mode=False)
    except SandboxError as error:
        console.problem(str(error), error.hint)
        if (short := _disk_shortage_behind(error)) and short not in str(error):
            console.note(f"{short} Make room there first")
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        console.problem(
            f"The disk of {error.filename or ROOT} is full.", "Make room on this disk, then try again"
        )
        sys.exit(1)
    except click.exceptions.Abort:
        console.note("stopped; nothing is lost: make up goes on where it was, a loop by itself (make trace)")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
