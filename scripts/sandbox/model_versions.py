"""Model versions as people name them: of the model that is served, unless they say which."""

import json
from typing import Any

from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.reference import VERSION

MOST_SHOWN = 10


def find_version(context: Context, given: str, model: str = "") -> dict[str, Any]:
    """The version that `3` or `iris/3` names, with its tags. Raises LoopError that lists the known ones."""
    match = VERSION.fullmatch(given)
    named, number = (match["name"] or model, match["version"]) if match else (model, given)
    name = model_name(context, named)
    if found := context.mlflow.version(name, number):
        return found
    raise LoopError(f"{name} has no version {number} in MLflow.", _known(context, name))


def model_name(context: Context, model: str) -> str:
    """The registered model meant: the named one, the served one, or the only one. Raises LoopError."""
    names = context.mlflow.names()
    if not names:
        raise LoopError("No model is registered yet.", "Run: make up, then: make demo")
    if model:
        if model not in names:
            raise LoopError(f"No registered model is called {model!r}.", f"Models: {', '.join(names)}")
        return model
    served = context.prediction_api.model()
    if served and served["name"] in names:
        return str(served["name"])
    if len(names) > 1:
        raise LoopError(
            "Nothing is served that could tell which model is meant.", f"--model {'|'.join(names)}"
        )
    return names[0]


def replaced_by_champion(context: Context, name: str) -> str:
    """The version that was champion before the one that is. Raises LoopError where there is none."""
    champion = context.mlflow.champion(name)
    if not champion:
        raise LoopError(f"{name} has no champion: nothing was promoted yet.", _known(context, name))
    over = json.loads(champion["tags"].get("promoted_over") or "{}").get("version")
    if not over:
        others = [f"--model {other}" for other in context.mlflow.names() if other != name]
        raise LoopError(
            f"{name} version {champion['version']} is the first champion: there is nothing to go back to.",
            "; ".join([_known(context, name), *others]),
        )
    if over == champion["version"]:
        raise LoopError(
            f"{name} version {over} was promoted again while it was champion: the one before is not known.",
            f"Name it: make rollback VERSION=…. {_known(context, name)}",
        )
    return str(over)


def _known(context: Context, name: str) -> str:
    """The newest versions, each with the start of its code commit."""
    versions = context.mlflow.versions(name)
    shown = [_line(each) for each in versions[:MOST_SHOWN]]
    more = [f"and {len(versions) - MOST_SHOWN} more"] if versions[MOST_SHOWN:] else []
    return f"Versions of {name}: {', '.join([*shown, *more]) or 'none'}"


def _line(version: dict[str, Any]) -> str:
    code = version["tags"].get("code_commit", "")[:12]
    return f"{version['version']} (code {code})" if code else str(version["version"])
