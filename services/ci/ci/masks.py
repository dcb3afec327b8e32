"""Which texts of an environment no log may hold: secrets, and logins as HTTP Basic has them (RFC 7617)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

SECRET_ENDINGS = ("TOKEN", "PASSWORD", "SECRET", "SECRET_ACCESS_KEY")
LOGIN = re.compile(r"://([^/?#\s:@]*)(?::([^/?#\s]*))?@")
# SQLAlchemy takes a password with slashes and the like as it is
DATABASE_LOGIN = re.compile(r"://([^/\s:@]*)(?::([^@]*))?@")


def secrets_of(env: Mapping[str, str]) -> list[str]:
    """Values that are secrets by their name, and the logins that values are or hold."""
    named = [value for key, value in env.items() if key.endswith(SECRET_ENDINGS)]
    paired = [basic(*login) for login in pairs(env)]
    return [*named, *paired, *(secret for key, value in env.items() for secret in logins(key, value))]


def logins(key: str, value: str) -> Iterator[str]:
    """User and password of every URL in a value: together, the password quoted and plain, as HTTP Basic."""
    form = DATABASE_LOGIN if key.endswith("DATABASE_URL") else LOGIN
    for user, password in form.findall(value):
        if password:
            yield from (f"{user}:{password}@", password, unquote(password))
        elif user:
            yield f"{user}@"  # a token may stand where a user would; a user's name alone is none
        if user or password:
            yield basic(unquote(user), unquote(password))


def pairs(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Users and passwords that are settings of their own: X_USER or X_USERNAME, and X_PASSWORD or X_TOKEN."""
    for key, password in env.items():
        stem, _, kind = key.rpartition("_")
        if kind in ("PASSWORD", "TOKEN"):
            users = (env.get(f"{stem}_{word}") for word in ("USER", "USERNAME"))
            yield from ((user, password) for user in users if user)


def basic(user: str, password: str) -> str:
    """A login as the header Authorization has it."""
    return base64.b64encode(f"{user}:{password}".encode(errors="replace")).decode()
