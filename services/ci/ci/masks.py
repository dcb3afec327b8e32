"""Which texts of an environment no log may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

SECRET_ENDINGS = ("TOKEN", "PASSWORD", "SECRET", "SECRET_ACCESS_KEY")
LOGIN = re.compile(r"://([^/?#\s:@]*)(?::([^/?#\s]*))?@")
# SQLAlchemy takes a password with slashes and the like as it is
DATABASE_LOGIN = re.compile(r"://([^/\s:@]*)(?::([^@]*))?@")


def secrets_of(env: Mapping[str, str]) -> list[str]:
    """Values that are secrets by their name, and the logins in values that are URLs."""
    named = [value for key, value in env.items() if key.endswith(SECRET_ENDINGS)]
    return [*named, *(secret for key, value in env.items() for secret in logins(key, value))]


def logins(key: str, value: str) -> Iterator[str]:
    """User and password of every URL in a value: together, and the password alone, quoted and plain."""
    form = DATABASE_LOGIN if key.endswith("DATABASE_URL") else LOGIN
    for user, password in form.findall(value):
        if password:
            yield from (f"{user}:{password}@", password, unquote(password))
        elif user:
            yield f"{user}@"  # a token may stand where a user would; a user's name alone is none
