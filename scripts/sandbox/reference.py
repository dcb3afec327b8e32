"""What a REF of `sandbox trace` means: a commit, tag, model version or run id; empty: the newest."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.completion import PROMOTION
from sandbox.context import Context
from sandbox.data_versions import DATA_REF, data_commit
from sandbox.errors import LoopError, UnknownReference
from sandbox.git import commits_after, remote_head
from sandbox.receipt import DAG, Loop
from sandbox.settings import DATA, REPOSITORIES, ROOT

VERSION = re.compile(r"(?:(?P<name>[\w.-]+)/)?(?P<version>\d{1,6})")  # a model version: 3 or iris/3


def find_loop(context: Context, ref: str) -> Loop:
    """The loop that `ref` names. Raises UnknownReference if there is none."""
    if not ref:
        return _newest(context)
    looks = (_by_run, _by_version, _by_data_version, _by_commit)
    found = next((loop for look in looks if (loop := look(context, ref))), None)
    if found and found.commit and not _seen_by_ci(found.statuses):
        return _unbuilt(context, found)
    if not found:
        raise UnknownReference(ref)
    return found


def _unbuilt(context: Context, loop: Loop) -> Loop:
    """The loop of a commit that CI said nothing of: a head is built soon, an inner commit was part of one.

    Raises LoopError where the commit is on no branch.
    """
    after = commits_after(context.endpoints.clone_url(loop.repository), loop.commit)
    if loop.commit in after.heads:
        return loop
    built = next((commit for commit in after.commits if _is_built(context, loop.repository, commit)), "")
    if part_of := built or next(iter(after.heads), ""):
        return replace(loop, part_of=part_of)
    raise LoopError(
        f"{loop.repository} {loop.commit[:12]} was not built: it is on no branch.",
        "Trace a commit that was pushed to a branch",
    )


def _is_built(context: Context, repository: str, commit: str) -> bool:
    found = context.statuses.of(repository, commit)
    return found is not None and _seen_by_ci(found[1])


def _seen_by_ci(statuses: Iterable[dict[str, Any]]) -> bool:
    return any(row["context"] == "ci" for row in statuses)


def push_run_id(repository: str, commit: str) -> str:
    """The run that a push of this commit starts (docs/architecture.md, run id)."""
    return f"push-{repository}-{commit[:12]}"


def _pushed(context: Context, repository: str, commit: str, ref: str) -> Loop | None:
    """The loop of a pushed commit, its statuses as of now; None where there is no such commit."""
    if not (found := context.statuses.of(repository, commit)):
        return None
    sha, statuses = found
    return Loop(ref, push_run_id(repository, sha), repository, sha, tuple(statuses))


def _by_run(context: Context, ref: str) -> Loop | None:
    if match := re.fullmatch(r"push-(\w+)-([0-9a-f]{12})", ref):
        return _pushed(context, match[1], match[2], ref)  # a push whose build failed has no run
    run = context.airflow.run(DAG, ref) if "-" in ref else None
    if run:
        return _loop_of_run(context, run, ref)
    promoted = context.airflow.run(PROMOTION, ref) if "-" in ref else None
    return Loop(ref, ref, dag=PROMOTION) if promoted else None


def _loop_of_run(context: Context, run: dict[str, Any], ref: str) -> Loop:
    conf, run_id = run.get("conf") or {}, run["dag_run_id"]
    if conf.get("reason") != "push":
        return Loop(ref, run_id)
    repository, commit = conf["repository"], conf["commit"]
    return _pushed(context, repository, commit, ref) or Loop(ref, run_id, repository, commit)


def _by_version(context: Context, ref: str) -> Loop | None:
    match = VERSION.fullmatch(ref)
    if not match:
        return None
    names = [match["name"]] if match["name"] else context.mlflow.names()
    for name in names:
        version = context.mlflow.version(name, match["version"])
        if version and "loop_run_id" in version["tags"]:
            run = context.airflow.run(DAG, version["tags"]["loop_run_id"])
            return _loop_of_run(context, run, ref) if run else None
    return None


def _by_data_version(context: Context, ref: str) -> Loop | None:
    """The loop of the commit that a tag DV_… names: the tagged commit itself was made by the loop."""
    if not (ref.startswith("DV_") and DATA_REF.fullmatch(ref) and context.statuses.of(DATA, ref)):
        return None
    return _pushed(context, DATA, data_commit(context, ref.removeprefix("DV_")), ref)


def _by_commit(context: Context, ref: str) -> Loop | None:
    return next((loop for name in REPOSITORIES if (loop := _pushed(context, name, ref, ref))), None)


def _newest(context: Context) -> Loop:
    candidates = [loop for name in REPOSITORIES if (loop := _head(context, name))]
    run = context.airflow.newest_run(DAG)
    newest = max(candidates, key=_seen, default=None)
    if run and (run.get("conf") or {}).get("reason") == "push":
        run = None  # known by its push, which may be older than another one
    if run and (not newest or datetime.fromisoformat(run["run_after"]) > _seen(newest)):
        return _loop_of_run(context, run, run["dag_run_id"])
    if not newest:
        raise LoopError("No commit was pushed yet.", "Run: make up, then: make demo")
    return newest


def _seen(loop: Loop) -> datetime:
    """When CI first heard of the push."""
    return datetime.fromisoformat(loop.statuses[0]["created_at"])


def _main(context: Context, repository: str) -> str:
    return remote_head(context.endpoints.clone_url(repository), "main", ROOT)


def _head(context: Context, repository: str) -> Loop | None:
    commit = _main(context, repository)
    loop = _pushed(context, repository, commit, commit) if commit else None
    return loop if loop and loop.statuses else None
