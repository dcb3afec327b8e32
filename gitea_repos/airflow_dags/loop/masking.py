"""Keeps the secrets of loop.env out of what people read: logs, statuses, results."""

from loop.settings import secrets

MASK = "***"


def masked(text: str) -> str:
    """The text with each secret of loop.env replaced."""
    for secret in sorted(secrets(), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
