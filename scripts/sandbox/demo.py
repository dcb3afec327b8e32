"""`sandbox demo`: a harmless commit goes through the whole loop, then the new model answers."""

import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import console, trace
from sandbox.clone import clone_repository
from sandbox.context import Context
from sandbox.git import IDENTITY, git
from sandbox.scenarios import SCENARIOS
from sandbox.settings import CODE

FIRST = "iris"  # asked for several flowers at once
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
        ask(context)
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


def ask(context: Context) -> None:
    """Ask the served model, where it is known what to ask."""
    served = (context.prediction_api.model() or {}).get("name", "")
    request = {"instances": FLOWERS} if served == FIRST else dict(_example(served))
    if not request:
        return
    answer = context.prediction_api.predict(request)
    headers = answer.headers
    role = ", the challenger" if headers.get("X-Model-Role") == "challenger" else ""
    console.say()
    console.say(f"POST {context.endpoints.prediction_api.outside}/predict  {json.dumps(request)}")
    console.say(f"  {answer.text.strip()}")
    console.say(
        f"  {headers['X-Model-Name']} version {headers['X-Model-Version']}{role}, "
        f"commit {headers['X-Git-Commit'][:12]}, data {headers['X-Data-Version']}"
    )


def _example(model: str) -> Mapping[str, Any]:
    """A row of the model of a scenario; empty for a model of somebody's own."""
    return SCENARIOS[model].example if model in SCENARIOS else {}
