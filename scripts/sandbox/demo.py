"""`sandbox demo`: a harmless commit goes through the whole loop, then the new model answers."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sandbox import console, trace
from sandbox.clone import clone_repository
from sandbox.context import Context
from sandbox.git import IDENTITY, git
from sandbox.settings import CODE

DEMO_SECONDS = 900.0
FLOWERS = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2]]


def run_demo(context: Context) -> int:
    """Push, trace, predict; return the exit code of the trace. Raises SandboxError."""
    with tempfile.TemporaryDirectory() as scratch:
        commit = _push_change(context, Path(scratch) / CODE)
    console.done(f"pushed {commit[:12]} to {CODE}")
    receipt = trace.follow(context, commit, DEMO_SECONDS)
    trace.show_receipt(receipt)
    if receipt.state == "passed":
        _predict(context)
    return trace.exit_code(receipt)


def _push_change(context: Context, folder: Path) -> str:
    clone_repository(context, CODE, folder)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    with (folder / "DEMO.md").open("a") as file:
        file.write(f"* {moment} a harmless commit of `make demo`\n")
    git("add", "DEMO.md", folder=folder)
    git("commit", "--quiet", "--message", f"Demo at {moment}", folder=folder, env=IDENTITY)
    git("push", "--quiet", folder=folder, env=IDENTITY)
    return git("rev-parse", "HEAD", folder=folder)


def _predict(context: Context) -> None:
    answer = context.prediction_api.predict(FLOWERS)
    headers = answer.headers
    console.say()
    console.say(f"POST {context.endpoints.prediction_api.outside}/predict  instances {FLOWERS}")
    console.say(f"  {answer.text.strip()}")
    console.say(
        f"  {headers['X-Model-Name']} version {headers['X-Model-Version']}, "
        f"commit {headers['X-Git-Commit'][:12]}, data {headers['X-Data-Version']}"
    )
