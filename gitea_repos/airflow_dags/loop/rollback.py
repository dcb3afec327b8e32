"""What a promotion replaced, and how it comes back when the new version does not serve."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from loop.errors import Failure, LoopError
from loop.mlflow import MLflow, Version
from loop.register import CHAMPION

BY, OVER, AT = "promoted_by", "promoted_over", "promoted_at"


def remember(mlflow: MLflow, version: Version, run_id: str) -> str | None:
    """Write down, at the version itself, what its promotion replaces, and give the replaced version's number.

    A second try of the same run finds its own version as champion and keeps what the first has written.
    """
    champion = mlflow.aliased(version.name, CHAMPION)
    if champion and champion.number == version.number and version.tags.get(BY) == run_id:
        return json.loads(version.tags[OVER])["version"]
    over = {
        "version": champion.number if champion else None,
        "promoted_at": mlflow.model_tag(version.name, AT),
    }
    mlflow.set_version_tag(version, OVER, json.dumps(over))
    mlflow.set_version_tag(version, BY, run_id)
    return over["version"]


def restore(mlflow: MLflow, name: str, number: str) -> str:
    """Give the alias back to what the promotion of this version replaced, and say what is champion now.

    Does nothing when another version is champion by now: that was somebody's later decision.
    """
    champion = mlflow.aliased(name, CHAMPION)
    if not champion or champion.number != number:
        return f"the champion is {champion.number if champion else 'none'}"
    over = json.loads(champion.tags.get(OVER) or "{}")
    if (previous := over.get("version")) == number:
        return f"the champion was {number} before and stays it"
    if previous:
        mlflow.set_alias(name, CHAMPION, previous)
    else:
        mlflow.delete_alias(name, CHAMPION)
    # The API follows the model promoted last: with the old time, it goes back to another model as well.
    mlflow.set_model_tag(name, AT, over.get("promoted_at"))
    return f"the champion is {previous} again" if previous else f"{name} has no champion again"


def recover(mlflow: MLflow, run_id: str) -> str:
    """Restore what a failed run has promoted, or say nothing when it promoted nothing."""
    promoted = mlflow.versions(f"tags.{BY}='{run_id}'")
    return restore(mlflow, promoted[0].name, promoted[0].number) if promoted else ""


@contextmanager
def undone_on_failure(mlflow: MLflow, name: str, number: str) -> Iterator[None]:
    """Restore the old champion when the block ends by any exception, a timeout or a kill included.

    An error of the loop becomes a Failure: with its promotion undone, trying again makes no sense.
    """
    try:
        yield
    except LoopError as error:
        raise Failure(f"{error}; {_restore_if_possible(mlflow, name, number)}") from error
    except BaseException:
        _restore_if_possible(mlflow, name, number)
        raise


def _restore_if_possible(mlflow: MLflow, name: str, number: str) -> str:
    try:
        return restore(mlflow, name, number)
    except LoopError as error:
        return f"and the old champion could not be set: {error}"
