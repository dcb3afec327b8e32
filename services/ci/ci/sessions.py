"""HTTP of all clients: sessions, one request, what an error answer says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECONDS = 10


class NotYet(Exception):
    """A server may take it later: away, an error of its own, or not ready yet."""


class Away(NotYet):
    """No answer at all: neither will the next request have one."""


def session_for(url: str) -> requests.Session:
    """A session that goes to this machine's own servers without a proxy."""
    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in LOOPBACK
    return session


def call(session: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
    """One request. Raises NotYet where it may work later, Away where there is no answer."""
    try:
        response = session.request(method, url, timeout=SECONDS, allow_redirects=False, **options)
    except requests.RequestException as error:
        raise Away(f"{url} does not answer ({type(error).__name__})") from error
    if response.status_code >= 500 or response.status_code == 429:
        raise NotYet(f"{url} answers {response.status_code}")
    return response


def text_of(response: requests.Response) -> str:
    """What an error answer says, in short."""
    try:
        body = response.json()
        text = str(body.get("detail", body.get("message", body)) if isinstance(body, dict) else body)
    except ValueError:
        text = response.text
    return " ".join(text.split())[:500]
