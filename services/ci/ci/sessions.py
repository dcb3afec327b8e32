"""HTTP sessions of all clients."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def session_for(url: str) -> requests.Session:
    """A session that goes to this machine's own servers without a proxy."""
    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in LOOPBACK
    return session
