"""Who may ask: bearer tokens (RFC 6750), one setting.

The check stands before the body is read and before any route is looked for, so both ways to an answer have
it, and a route that is added later asks for a token unless it is named here.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from prediction_api.errors import SettingsError
from prediction_api.problems import Problem

#: Routes that anybody may ask, with what lies below them.
OPEN = frozenset({"/health", "/ready", "/smoke", "/model", "/metrics", "/openapi.json", "/docs"})
BELOW_OPEN = "/docs/"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: What may stand in the header, RFC 6750, section 2.1.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
CHALLENGE = 'Bearer realm="prediction-api"'


def parse_tokens(text: str) -> dict[str, str]:
    """Token by name, from `name:token` by comma; SettingsError names the entry and shows no token."""
    tokens: dict[str, str] = {}
    for number, entry in enumerate(text.split(",") if text.strip() else (), start=1):
        name, _, token = entry.strip().partition(":")
        wrong = _mistake(name, token, tokens)
        if wrong:
            raise SettingsError(
                f"API_TOKENS: entry {number} {wrong}; write name:token, several by comma, such as "
                "API_TOKENS=ada:TOKEN, and make a token with: openssl rand -hex 16"
            )
        tokens[name] = token
    return tokens


def _mistake(name: str, token: str, known: Mapping[str, str]) -> str:
    """What is wrong with one entry, without its token; empty where nothing is."""
    if not NAME.fullmatch(name):
        return "has no name of letters, digits, dots, - and _ before a colon"
    if not token:
        return "has no token after the colon"
    if not TOKEN.fullmatch(token):
        return "has a token with characters that no header may hold (spaces, quotes, colons and the like)"
    if name in known:
        return f"has the name {name}, which another one has"
    return "has the token of another one" if token in known.values() else ""


class Access:
    """The tokens of one instance."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        # Digests have one length, so a comparison tells nothing of a token's own.
        self._names = {_digest(token.encode()): name for name, token in tokens.items()}

    @property
    def asks(self) -> bool:
        """Whether anybody is asked for a token."""
        return bool(self._names)

    def client(self, environ: dict[str, Any], path: str) -> str:
        """The name of whoever shows a token, empty on an open route; Problem 401 for others."""
        if path in OPEN or path.startswith(BELOW_OPEN):
            return ""
        given = environ.get("HTTP_AUTHORIZATION", "")
        if not given:
            raise _refused("This route asks for a token: Authorization: Bearer TOKEN.", CHALLENGE)
        scheme, _, token = given.partition(" ")
        name = self._name(token.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            detail = "This token is not known here; API_TOKENS holds those that are."
            raise _refused(detail, f'{CHALLENGE}, error="invalid_token"')
        return name

    def _name(self, token: str) -> str | None:
        digest, found = _digest(token.encode("utf-8", "surrogateescape")), None
        for known, name in self._names.items():  # all of them, in the same time for each
            if hmac.compare_digest(known, digest):
                found = name
        return found


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _refused(detail: str, challenge: str) -> Problem:
    return Problem("unauthorized", detail, headers=(("WWW-Authenticate", challenge),))
