"""`sandbox challenge`: another version answers a share of the predictions."""

from typing import Any

from sandbox import console
from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.model_versions import find_version, model_name
from sandbox.wait import wait_until

ALIAS = "challenger"
PERCENT, MODE = "challenger_percent", "challenger_mode"  # tags of the registered model (seam 15)
IN_A_WORKER = ("challenger", PERCENT, MODE)  # what GET /model says of each
SERVED_WITHIN = 60.0  # seconds; a worker looks every API_POLL_SECONDS


def challenge(context: Context, version: str, model: str, percent: float, shadow: bool) -> dict[str, Any]:
    """Let a version (`3` or `iris/3`) challenge and wait until the API has it. Raises LoopError."""
    found = find_version(context, version, model)
    name, number = found["name"], found["version"]
    _check_served(context, name, number, shadow)
    mlflow = context.mlflow
    mlflow.delete_alias(name, ALIAS)  # the tags are of the one that comes, not of the one that challenged
    mlflow.set_model_tag(name, PERCENT, repr(percent))
    mlflow.set_model_tag(name, MODE, "shadow" if shadow else "split")
    mlflow.set_alias(name, ALIAS, number)
    return _followed(context, number, percent, shadow)


def _check_served(context: Context, name: str, number: str, shadow: bool) -> None:
    """Raises LoopError where no version of this model could challenge, or this one could not."""
    served = context.prediction_api.about()
    if not served:
        raise LoopError("No model is served that could be challenged.", "Run: make status, it tells why")
    if pin := served.get("pin"):
        raise LoopError(
            f"The API serves what MODEL_PIN={pin} names, and no challenger beside it.",
            "Empty MODEL_PIN in .env, then: make up",
        )
    if shadow and not served.get("logs_predictions"):
        raise LoopError(
            "Predictions are not logged, and a shadow is seen there alone.",
            "Set PREDICTION_LOG=on in .env, then: make up",
        )
    if served["name"] != name:
        raise LoopError(
            f"{served['name']} is served, so a version of {name} cannot challenge.",
            f"Serve {name} first: make promote VERSION={name}/{number}",
        )
    if (context.mlflow.champion(name) or {}).get("version") == number:
        raise LoopError(
            f"{name} version {number} is the champion: it cannot challenge itself.",
            "Choose another version",
        )


def end_challenge(context: Context, model: str) -> dict[str, Any]:
    """Nobody challenges any more; says so where nobody did."""
    name = model_name(context, model)
    context.mlflow.delete_alias(name, ALIAS)
    return _followed(context, None, 0.0, False)


def show_challenge(about: dict[str, Any]) -> None:
    """The same for people."""
    challenger = about["challenger"]
    if not challenger:
        console.done(f"nobody challenges version {about['version']}")
        return
    in_shadow = challenger["mode"] == "shadow"
    share = "predicts in the shadow" if in_shadow else f"answers {challenger['percent']:g} %"
    console.done(f"version {challenger['version']} {share}; version {about['version']} is the champion")
    chosen = "A request with the header X-Model-Role: challenger is answered by it"
    console.say(f"{chosen}, no other is" if in_shadow else f"{chosen}; X-Split-Key keeps users apart")


def _followed(context: Context, number: str | None, percent: float, shadow: bool) -> dict[str, Any]:
    """What the API says once every worker has the version. Raises LoopError with the API's reason."""
    wanted = (number, percent, "shadow" if shadow else "split") if number else (None, None, None)

    def look() -> dict[str, Any] | None:
        about = context.prediction_api.about()
        if not about:
            return None
        refusal = about.get("challenger_refusal")
        if number and refusal and refusal["version"] == number:
            raise _Refused(f"The API does not serve version {number}: {refusal['reason']}.")
        seen = {tuple(worker.get(key) for key in IN_A_WORKER) for worker in about["workers"]}
        # The answer itself is of one worker, which may have looked since it wrote what all can read.
        has = about.get("challenger") or {}
        return about if seen == {wanted} and has.get("version") == number else None

    try:
        return wait_until(
            look,
            what="the API to follow",
            seconds=SERVED_WITHIN,
            hint="Look: make logs SERVICE=prediction-api",
        )
    except _Refused as refused:
        raise LoopError(
            str(refused),
            "The champion answers everything. End it: make challenge OFF=1; or choose another version",
        ) from refused


class _Refused(Exception):
    """No use in waiting."""
