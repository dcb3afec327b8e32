"""The push that a webhook's body describes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ci.errors import PayloadError
from ci.git import ZERO
from ci.repositories import HEADS, SHA

# what git itself refuses in a branch name, and what no variable or page should hold
BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//|/$|\.lock$|/\.")
REF_LIMIT = 250


@dataclass(frozen=True)
class Push:
    """A moved ref; `after` is a commit, or zeros where the ref was deleted."""

    ref: str
    after: str
    owner: str
    repository: str

    def reason_not_to_build(self) -> str:
        """Why this push starts no build; empty where it does."""
        if self.after == ZERO:
            return "the ref was deleted"
        if self.ref.startswith("refs/tags/"):
            return "tags are not built"
        return "" if self.ref.startswith(HEADS) else "only branches are built"


def parse_push(body: bytes, organisation: str) -> Push:
    """The push in a Gitea payload. Raises PayloadError naming the field that is wrong."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"The body is not JSON: {error}.") from error
    ref = _text(payload, "ref")
    if not ref.startswith("refs/") or BAD_REF.search(ref) or len(ref) > REF_LIMIT:
        raise PayloadError(f"The field ref is no full name of a branch or tag: {ref[:100]!r}.")
    after = _text(payload, "after")
    if not SHA.fullmatch(after):
        raise PayloadError(f"The field after must be a commit id of 40 hex digits, not {after[:100]!r}.")
    repository = _text(payload, "repository.name")
    has_owner = isinstance(payload["repository"].get("owner"), dict)
    owner = _text(payload, "repository.owner.login") if has_owner else organisation
    return Push(ref, after, owner, repository)


def _text(payload: Any, path: str) -> str:
    value = payload
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise PayloadError(f"The field {path} is missing.")
        value = value[name]
    if not isinstance(value, str) or not value:
        raise PayloadError(f"The field {path} must be a text that is not empty.")
    return value
