"""What a REF of `sandbox trace` means: a commit, tag, model version or run id; empty: the newest."""

import re
from datetime import datetime
from typing import Any

from sandbox.context import REPOSITORIES, Context
from sandbox.errors import LoopError
from sandbox.git import remote_head
from sandbox.receipt import DAG, Loop
from sandbox.settings import ROOT


def find_loop(context: Context, ref: str) -> Loop:
    """The loop that `ref` names. Raises LoopError if there is none."""
    if not ref:
        return _newest(context)
    found = _by_run(context, ref) or _by_version(context, ref) or _by_commit(context, ref)
    if found and found.commit and not found.statuses and not _is_head(context, found):
        raise LoopError(
            f"{found.repository} {found.commit[:12]} was not built by itself: it is not what was pushed last "
            "at its time.",
            "Trace the commit that `git push` ended with, or a DV_ tag's data commit (git show names it)",
        )
    if not found:
        raise LoopError(
            f"Nothing here is called {ref!r}.",
            "Give a pushed commit, a tag, a model version (3 or iris/3), a run id, or nothing: the newest",
        )
    return found


def push_run_id(repository: str, commit: str) -> str:
    """The run that a push of this commit starts (docs/architecture.md, run id)."""
    return f"push-{repository}-{commit[:12]}"


def pushed(context: Context, repository: str, commit: str, ref: str) -> Loop:
    """The loop of a pushed commit, its statuses as of now."""
    found = context.statuses.of(repository, commit)
    statuses = tuple(found[1]) if found else ()
    return Loop(ref, push_run_id(repository, commit), repository, commit, statuses)


def _by_run(context: Context, ref: str) -> Loop | None:
    if match := re.fullmatch(r"push-(\w+)-([0-9a-f]{12})", ref):
        found = context.statuses.of(match[1], match[2])  # a push whose build failed has no run
        return Loop(ref, ref, match[1], found[0], tuple(found[1])) if found else None
    run = context.airflow.run(DAG, ref) if "-" in ref else None
    return _loop_of_run(context, run, ref) if run else None


def _loop_of_run(context: Context, run: dict[str, Any], ref: str) -> Loop:
    conf = run.get("conf") or {}
    if conf.get("reason") == "push":
        return pushed(context, conf["repository"], conf["commit"], ref)
    return Loop(ref, run["dag_run_id"])


def _by_version(context: Context, ref: str) -> Loop | None:
    match = re.fullmatch(r"(?:(?P<name>[\w.-]+)/)?(?P<version>\d{1,6})", ref)
    if not match:
        return None
    names = [match["name"]] if match["name"] else context.mlflow.names()
    for name in names:
        version = context.mlflow.version(name, match["version"])
        if version and "loop_run_id" in version["tags"]:
            run = context.airflow.run(DAG, version["tags"]["loop_run_id"])
            return _loop_of_run(context, run, ref) if run else None
    return None


def _by_commit(context: Context, ref: str) -> Loop | None:
    for repository in REPOSITORIES:
        if found := context.statuses.of(repository, ref):
            return Loop(ref, push_run_id(repository, found[0]), repository, found[0], tuple(found[1]))
    return None


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


def _is_head(context: Context, loop: Loop) -> bool:
    url = context.endpoints.clone_url(loop.repository)
    return remote_head(url, "main", ROOT) == loop.commit


def _head(context: Context, repository: str) -> Loop | None:
    commit = remote_head(context.endpoints.clone_url(repository), "main", ROOT)
    loop = pushed(context, repository, commit, commit) if commit else None
    return loop if loop and loop.statuses else None
