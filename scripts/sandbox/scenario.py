"""`sandbox scenario`: other data and another model, pushed as a person would push them.

Data and model belong together, so both params.yaml are pushed before one run reads them: that of the data
first, as a commit that starts no run, then that of the model. The run waits for the first build (`plan`).
"""

import json
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from sandbox import console, trace
from sandbox.by_hand import start_and_follow
from sandbox.context import Context
from sandbox.data_push import PARAMS
from sandbox.errors import LoopError
from sandbox.git import IDENTITY, NO_RUN, git
from sandbox.raw_store import raw_store
from sandbox.receipt import DAG, Receipt
from sandbox.scenarios import SCENARIOS
from sandbox.scenarios.parts import Scenario
from sandbox.settings import CODE, DATA

TOKEN_OF_ENV = r"$(sed -n 's/^API_TOKENS=[^:]*:\([^,]*\).*/\1/p' .env)"
ORDER = (DATA, CODE)  # of the pushes; the last one starts the run


@dataclass(frozen=True)
class Brought:
    """What came of it: new commits by repository; `answer` to the example is None unless the loop passed."""

    scenario: Scenario
    receipt: Receipt
    pushed: Mapping[str, str]
    url: str
    token: bool  # whether the API asks for one
    answer: Any

    def as_json(self) -> dict[str, Any]:
        """The receipt, with the scenario's name, what was pushed and the example."""
        example = {"url": self.url, "body": dict(self.scenario.example), "answer": self.answer}
        mine = {"scenario": self.scenario.name, "pushed": dict(self.pushed), "example": example}
        return self.receipt.as_json() | mine


def bring(context: Context, name: str, seconds: float) -> Brought:
    """Make the scenario's model the served one, where it is not; `seconds` is the longest wait for its loop.

    Raises LoopError, ServiceError.
    """
    scenario = SCENARIOS[name]
    _refuse_in_vain(context, scenario)
    _put_raw(context, scenario)
    pushed = _push(context, scenario)
    receipt = _follow(context, scenario, pushed, seconds)
    url = f"{context.endpoints.prediction_api.outside}/predict"
    answer = _ask(context, scenario) if receipt.state == "passed" else None
    return Brought(scenario, receipt, pushed, url, bool(context.settings.api_token), answer)


def show_brought(brought: Brought) -> None:
    """The receipt, and how to ask the model."""
    trace.show_receipt(brought.receipt)
    if brought.answer is not None:
        console.say()
        console.say(curl_line(brought.url, brought.scenario.example, brought.token))
        console.say(f"  {json.dumps(brought.answer)}")


def curl_line(url: str, request: Mapping[str, Any], token: bool) -> str:
    """A command for a shell in this folder that asks the prediction API, with the first token of .env."""
    body = shlex.quote(json.dumps(request, ensure_ascii=False))
    login = f' -H "Authorization: Bearer {TOKEN_OF_ENV}"' if token else ""
    return f"curl -s {url}{login} -H 'Content-Type: application/json' -d {body}"


def _refuse_in_vain(context: Context, scenario: Scenario) -> None:
    again = f"make scenario NAME={scenario.name}"
    if not any(service.running for service in context.driver.services()):
        raise LoopError("The sandbox is stopped.", f"Run: make up, then: {again}")
    pinned = context.settings.model_name
    if pinned and pinned != scenario.name:
        raise LoopError(
            f"The prediction API serves {pinned} alone: .env says MODEL_NAME={pinned}.",
            f"Empty MODEL_NAME in .env, then: make up, and: {again}",
        )
    if pin := context.settings.model_pin:
        raise LoopError(
            f"The prediction API serves one version alone: .env says MODEL_PIN={pin}.",
            f"Empty MODEL_PIN in .env, then: make up, and: {again}",
        )


def _put_raw(context: Context, scenario: Scenario) -> None:
    """A raw file that is there stays: somebody may have pushed other rows."""
    store, name = raw_store(context), scenario.raw_file
    if store.has(name):
        console.done(f"{name} is in the data store already and stays as it is")
    else:
        store.put(name, BytesIO(scenario.raw()))
        console.done(f"{name} put into the data store: {scenario.about}")


def _push(context: Context, scenario: Scenario) -> dict[str, str]:
    """The new commit of each repository whose params.yaml was another one, or whose build was red.

    A run takes the newest green commit: without a new build it would never meet this params.yaml.
    """
    served = (context.prediction_api.model() or {}).get("name")
    with tempfile.TemporaryDirectory() as scratch:
        clones = {name: Path(scratch) / name for name in ORDER}
        for name, folder in clones.items():
            url = context.endpoints.clone_url(name)
            git("clone", "--quiet", "--depth=1", "--branch=main", url, str(folder), folder=Path(scratch))
        changed = [
            name
            for name, folder in clones.items()
            if _differs(scenario, name, folder)
            or (served != scenario.name and _is_red(context, name, folder))
        ]
        return {
            name: _change(scenario, name, clones[name], starts_run=name == changed[-1]) for name in changed
        }


def _is_red(context: Context, repository: str, folder: Path) -> bool:
    """Whether the build of the head has ended and is not green."""
    head = git("rev-parse", "HEAD", folder=folder)
    _, statuses = context.statuses.of(repository, head) or (head, [])
    builds = [row["status"] for row in statuses if row["context"] == "ci"]
    if not builds or builds[-1] not in ("failure", "error"):
        return False
    console.note(
        f"the build of {repository} {head[:12]} was red (make trace REF={head[:12]}): built once more"
    )
    return True


def _differs(scenario: Scenario, repository: str, folder: Path) -> bool:
    path = folder / PARAMS
    return not path.exists() or path.read_bytes() != scenario.params[repository].read_bytes()


def _change(scenario: Scenario, repository: str, folder: Path, starts_run: bool) -> str:
    """Commit and push params.yaml alone, or nothing where it is there and only the build is wanted.

    Says where the one before it is, where nobody else has it.
    """
    before, path = git("rev-parse", "HEAD", folder=folder), folder / PARAMS
    known = {other.params[repository].read_bytes() for other in SCENARIOS.values()}
    if path.exists() and path.read_bytes() not in known:
        console.note(
            f"{PARAMS} of {repository} was a person's own; to have it back: "
            f"git checkout {before[:12]} -- {PARAMS} in a clone, then commit and push"
        )
    path.write_bytes(scenario.params[repository].read_bytes())
    end = "" if starts_run else NO_RUN
    message = f"Scenario {scenario.name}: {scenario.about}\n\n{PARAMS} before: {before}\n{end}"
    git("add", PARAMS, folder=folder)
    git("commit", "--quiet", "--allow-empty", "--message", message, folder=folder, env=IDENTITY)
    git("push", "--quiet", "origin", "HEAD:main", folder=folder, env=IDENTITY)
    commit = git("rev-parse", "HEAD", folder=folder)
    console.done(f"pushed {commit[:12]} to {repository}" + ("" if starts_run else ", which starts no run"))
    return commit


def _follow(context: Context, scenario: Scenario, pushed: Mapping[str, str], seconds: float) -> Receipt:
    """The receipt of the loop that the push began, or of what brings or brought the model without a push."""
    if pushed:
        return trace.follow(context, [*pushed.values()][-1], seconds)
    served = context.prediction_api.model() or {}
    if served.get("name") == scenario.name:
        console.done(f"nothing to do: {scenario.name} version {served['version']} is served")
        return _receipt_of(context, served)
    newest = trace.trace(context, "")
    if not newest.final or newest.state == "waiting":
        return trace.follow(context, newest.ref, seconds)
    console.note(f"both {PARAMS} are there, yet {served.get('name') or 'no model'} is served")
    return start_and_follow(context, DAG, {"reason": "manual"}, seconds)


def _receipt_of(context: Context, served: Mapping[str, Any]) -> Receipt:
    """How a served version came; a bare receipt where its run is forgotten."""
    ref = f"{served['name']}/{served['version']}"
    try:
        return trace.trace(context, ref)
    except LoopError:
        return Receipt(ref, "", served["git_sha"], "passed", None)


def _ask(context: Context, scenario: Scenario) -> Any:
    """What the model says to the example; None where another one came to be served meanwhile."""
    served = context.prediction_api.model() or {}
    if served.get("name") != scenario.name:
        console.note(f"{served.get('name') or 'no model'} is served now, not {scenario.name}: make trace")
        return None
    return context.prediction_api.predict(dict(scenario.example)).json()
