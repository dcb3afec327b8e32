"""`ci hook`: tells CI of a push, from a bare repository's `post-receive`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ci import signature
from ci.errors import GitError
from ci.git import git
from ci.payload import push_payload
from ci.settings import HookSettings

SECONDS = 4
PATH = "/generic-webhook-trigger/invoke"
AWAY = "CI is not reachable; the push is kept and will be built when it is back"


def report_pushes(settings: HookSettings, folder: Path, lines: Iterable[str]) -> Iterator[str]:
    """Send each `old new ref` line to CI; what to tell the pusher. Never fails: the push is kept anyway."""
    for line in lines:
        before, after, ref = line.rstrip("\n").split(" ", 2)
        try:
            payload = push_payload(settings, folder, before, after, ref)
            status, answer = send(settings, json.dumps(payload).encode())
        except GitError as error:
            yield f"The push is kept, but it cannot be described to CI: {error}"
            continue
        except (OSError, HTTPException):
            yield AWAY
            return
        yield from describe(folder.name.removesuffix(".git"), ref, status, answer)


def describe(repository: str, ref: str, status: int, answer: dict[str, Any]) -> Iterator[str]:
    """What an answer of CI means to the pusher; nothing where a tag or a deletion needs no words."""
    job = answer.get("jobs", {}).get(repository, {})
    if status != 200:
        message = answer.get("message", "no reason given")
        yield f"The push is kept, but CI refused to build {ref} ({status}): {message}"
    elif job.get("triggered"):
        yield f"build queued: {job.get('url')}"


def send(settings: HookSettings, body: bytes) -> tuple[int, dict[str, Any]]:
    """Post a signed payload; status and answer. Raises OSError or HTTPException where CI is away."""
    url = urlsplit(settings.url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=SECONDS)
    headers = signature.push_headers(settings.webhook_secret, body)
    try:
        connection.request("POST", url.path + PATH, body, headers)
        response = connection.getresponse()
        return response.status, read(response.read())
    finally:
        connection.close()


def read(body: bytes) -> dict[str, Any]:
    """An answer as JSON; empty where something else answers at CI's address."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def repository_folder() -> Path:
    """The bare repository that runs the hook. Raises GitError."""
    return Path(git(".", "rev-parse", "--absolute-git-dir").strip())
