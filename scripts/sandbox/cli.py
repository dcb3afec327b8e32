"""The `sandbox` command: every verb is a few lines here; the only place that exits."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sandbox import console, demo, doctor, start, trace
from sandbox.clone import clone_repository
from sandbox.context import Context
from sandbox.errors import SandboxError
from sandbox.locking import only_one
from sandbox.open_page import find_page, open_page
from sandbox.settings import REPOSITORIES
from sandbox.status import describe, show_status

TRACE_SECONDS = 1800.0

output = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Text for people, JSON for machines.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlops-sandbox")
def cli() -> None:
    """A commit that you push becomes a served model that you can watch."""


@cli.command()
@output
def up(output: str) -> None:
    """Start everything, run the first loop. Safe to run again."""
    context = start.bring_up()
    if output == "json":
        console.emit_json(describe(context))
    else:
        start.show_next(context)


@cli.command()
def down() -> None:
    """Stop everything, keep all data."""
    with only_one():
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
    with only_one():
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
@click.option(
    "--timeout",
    default=TRACE_SECONDS,
    type=click.FloatRange(min=0, max=86400),
    show_default=True,
    help="Longest wait in seconds.",
)
@output
def trace_command(ref: str, wait: bool, timeout: float, output: str) -> None:
    """The receipt of a loop. REF: commit, tag, model version, run id; without it: the newest.

    Exit code: 0 passed, 1 failed or rejected, 3 waiting for a promotion.
    """
    context = Context.load()
    receipt = trace.follow(context, ref, timeout) if wait else trace.trace(context, ref)
    if output == "json":
        console.emit_json(receipt.as_json())
    else:
        trace.show_receipt(receipt)
    sys.exit(trace.exit_code(receipt))


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


def main() -> Any:
    """Run a command; an expected failure becomes a message, a hint and exit code 1."""
    try:
        cli(standalone_mode=False)
    except SandboxError as error:
        console.problem(str(error), error.hint)
        sys.exit(1)
    except click.exceptions.Abort:
        console.note("stopped; nothing is lost, run the same command again to go on")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
