"""Who asks: the user and password of a Basic login (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass

from ci.settings import LOOP, ServerSettings


@dataclass(frozen=True)
class Logins:
    """The users that the settings name: the loop, and with Git over HTTP whoever may create."""

    settings: ServerSettings

    def user(self, authorization: str) -> str | None:
        """Whose the header Authorization is; None where it is missing or wrong."""
        kind, _, given = authorization.partition(" ")
        return self._of_password(*decode(given.strip())) if kind.lower() == "basic" else None

    def is_admin(self, user: str) -> bool:
        """Whether a user may create."""
        return bool(self.settings.admin_user) and user == self.settings.admin_user

    def _of_password(self, user: str, password: str) -> str | None:
        known = {LOOP: self.settings.token}
        if self.settings.admin_user:
            known[self.settings.admin_user] = self.settings.admin_password
        return user if user in known and same(password, known[user]) else None


def same(given: str, secret: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing."""
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())


def decode(credentials: str) -> tuple[str, str]:
    """User and password of a Basic header; empty where it is none."""
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return user, password
