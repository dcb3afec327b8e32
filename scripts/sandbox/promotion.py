"""`sandbox promote` and `rollback`: another registered version becomes the champion and is served."""

from sandbox.by_hand import start_and_follow
from sandbox.completion import PROMOTION
from sandbox.context import Context
from sandbox.model_versions import find_version, model_name, replaced_by_champion
from sandbox.receipt import Receipt, Stage


def promote(context: Context, version: str, model: str, reason: str, seconds: float) -> Receipt:
    """Serve a version (`3` or `iris/3`) and follow until it is verified. Raises LoopError.

    Whether it may be served is up to the DAG: what the API cannot load or answers otherwise than the registry
    has the old version back.
    """
    found = find_version(context, version, model)
    name, number = found["name"], found["version"]
    if _is_served(context, name, number):
        return nothing_to_do(f"{name}/{number}", f"{name} version {number} is served already")
    conf = {"name": name, "version": number, "reason": reason}
    return start_and_follow(context, PROMOTION, conf, seconds)


def roll_back(context: Context, version: str, model: str, seconds: float) -> Receipt:
    """The same with the version that was champion before, where none is named."""
    if not version:
        model = model_name(context, model)
        version = replaced_by_champion(context, model)
    return promote(context, version, model, "rollback", seconds)


def nothing_to_do(ref: str, why: str) -> Receipt:
    """The receipt of a command that had nothing to start."""
    return Receipt(ref, "", "", "skipped", None, [Stage("promote", "skipped", detail=why)])


def _is_served(context: Context, name: str, number: str) -> bool:
    """Whether the API answers with it, and means to stay."""
    served, champion = context.prediction_api.model() or {}, context.mlflow.champion(name) or {}
    return (served.get("name"), served.get("version"), champion.get("version")) == (name, number, number)
