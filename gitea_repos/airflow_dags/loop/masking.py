"""Keeps the secrets of a task's environment out of what people read: logs, statuses, results.

Rules, least length and mask are those that the CI service has for builds: people read both logs side by side.
Beyond them, a secret is known as JSON writes it and, with its user, as HTTP Basic does (RFC 7617).
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from loop.settings import task_environment

MASK = "****"
SHORTEST_SECRET = 6  # characters; a shorter one would be found in ordinary words
SECRET_ENDINGS = ("TOKEN", "PASSWORD", "SECRET", "SECRET_ACCESS_KEY")
LOGIN = re.compile(r"://([^/?#\s:@]*)(?::([^/?#\s]*))?@")
# SQLAlchemy takes a password with slashes and the like as it is.
DATABASE_LOGIN = re.compile(r"://([^/\s:@]*)(?::([^@]*))?@")


def masked(text: str) -> str:
    """The text with each secret of a task's environment replaced."""
    for secret in sorted(secrets(), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def masked_values(value: Any) -> Any:
    """A JSON value with every text in it masked; keys are names and stay."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: masked_values(each) for key, each in value.items()}
    return [masked_values(each) for each in value] if isinstance(value, list) else value


def secrets() -> set[str]:
    """What nobody may read in a log: of all that a task is handed, the secrets in each of their forms."""
    environ = task_environment()
    found = {value for key, value in environ.items() if key.endswith(SECRET_ENDINGS)}
    found |= {_basic(*login) for login in _pairs(environ)}
    for key, value in environ.items():
        found |= set(_logins(key, value))
    found |= {json.dumps(secret, ensure_ascii=ascii)[1:-1] for secret in found for ascii in (True, False)}
    return {secret for secret in found if len(secret) >= SHORTEST_SECRET}


def _logins(key: str, value: str) -> Iterator[str]:
    """User and password of every address in a value: together, the password alone, and as HTTP Basic."""
    form = DATABASE_LOGIN if key.endswith("DATABASE_URL") else LOGIN
    for user, password in form.findall(value):
        if password:
            yield from (f"{user}:{password}@", password, unquote(password))
        elif user:
            yield f"{user}@"  # a token may stand where a user would; a user's name alone is none
        if user or password:
            yield _basic(unquote(user), unquote(password))


def _pairs(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Users and passwords that are settings of their own: X_USER or X_USERNAME, and X_PASSWORD or X_TOKEN."""
    for key, password in environ.items():
        stem, _, kind = key.rpartition("_")
        if kind in ("PASSWORD", "TOKEN"):
            users = (environ.get(f"{stem}_{word}") for word in ("USER", "USERNAME"))
            yield from ((user, password) for user in users if user)


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode(errors="replace")).decode()
