"""What a promotion replaced, and how it comes back when the new version does not serve."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from loop import wait
from loop.errors import Failure, LoopError, Undone, Unreachable
from loop.mlflow import MLflow, Version
from loop.register import CHAMPION
from loop.repeat import ENDED
from loop.run import LOOP

log = logging.getLogger(__name__)

BY, OVER, AT, VERIFIED = "promoted_by", "promoted_over", "promoted_at", "verified_by"
PATIENCE = 60.0  # seconds that MLflow may be away while a promotion is taken back
# Airflow ends a DAG's callback after 50 seconds.
CALLBACK_PATIENCE = 20.0


def remember(mlflow: MLflow, version: Version, key: str) -> str | None:
    """Write down, at the version itself, what its promotion replaces, and give the replaced version's number.

    A second try of the same run finds its own version as champion and keeps what the first has written.
    """
    champion = mlflow.aliased(version.name, CHAMPION)
    if champion and champion.number == version.number and version.tags.get(BY) == key:
        return json.loads(version.tags[OVER])["version"]
    over = {
        "version": champion.number if champion else None,
        "promoted_at": mlflow.model_tag(version.name, AT),
    }
    mlflow.set_version_tag(version, OVER, json.dumps(over))
    mlflow.set_version_tag(version, BY, key)
    return over["version"]


def restore(mlflow: MLflow, name: str, number: str, patience: float | None = None) -> str:
    """Give the alias back to what the promotion of this version replaced, and say what is champion now.

    Does nothing when another version is champion by now: that was somebody's later decision. While MLflow is
    away it tries again, for PATIENCE seconds unless told otherwise.
    """
    seconds = PATIENCE if patience is None else patience
    said = wait.until(lambda: _give_back_if_there(mlflow, name, number), seconds, 1)
    return said or _give_back(mlflow, name, number)


def _give_back_if_there(mlflow: MLflow, name: str, number: str) -> str | None:
    try:
        return _give_back(mlflow, name, number)
    except Unreachable:
        return None


def _give_back(mlflow: MLflow, name: str, number: str) -> str:
    """One try of `restore`; the alias comes last, so that a try that broke off is done again in full."""
    champion = mlflow.aliased(name, CHAMPION)
    if not champion or champion.number != number:
        return f"the champion is {champion.number if champion else 'none'}"
    over = json.loads(champion.tags.get(OVER) or "{}")
    if (previous := over.get("version")) == number:
        return f"the champion was {number} before and stays it"
    # A promotion by hand says nothing of the loop that trained the version.
    if champion.tags.get(BY, "").startswith(f"{LOOP}/"):
        mlflow.set_run_tag(champion.run_id, ENDED, "failed")
    # The API follows the model promoted last: with the old time, it goes back to another model as well.
    if mlflow.model_tag(name, AT) != over.get("promoted_at"):
        mlflow.set_model_tag(name, AT, over.get("promoted_at"))
    if previous:
        mlflow.set_alias(name, CHAMPION, previous)
    else:
        mlflow.delete_alias(name, CHAMPION)
    return f"the champion is {previous} again" if previous else f"{name} has no champion again"


def recover(mlflow: MLflow, key: str) -> str:
    """Restore what a failed run has promoted, or say nothing: it promoted nothing, or it was verified."""
    promoted = [found for found in mlflow.versions(f"tags.{BY}='{key}'") if found.tags.get(VERIFIED) != key]
    return restore(mlflow, promoted[0].name, promoted[0].number, CALLBACK_PATIENCE) if promoted else ""


@contextmanager
def undone_on_failure(mlflow: MLflow, name: str, number: str) -> Iterator[None]:
    """Restore the old champion when the block ends by any exception, a timeout or a kill included.

    Any of them becomes a Failure: with its promotion undone, trying again makes no sense. A try that is lost
    raises nothing and undoes nothing: the next one goes on, and after the last `recover` undoes.
    """
    try:
        yield
    except LoopError as error:
        raise Failure(f"{error}; {_restore_if_possible(mlflow, name, number)}") from error
    except BaseException as error:
        log.warning("Interrupted: the promotion is taken back", exc_info=True)
        raise Undone(_restore_if_possible(mlflow, name, number)) from error


def _restore_if_possible(mlflow: MLflow, name: str, number: str) -> str:
    try:
        return restore(mlflow, name, number)
    except LoopError as error:
        return f"and the old champion could not be set: {error}"
