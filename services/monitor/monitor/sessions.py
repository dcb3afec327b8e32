"""HTTP of all clients: one session a server, answers as JSON, and one error for all that can go wrong."""

from typing import Any
from urllib.parse import urlsplit

import requests

from monitor.errors import Away

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECONDS = (3.05, 10)  # to connect, to answer
MISSING = object()


class Server:
    """A server that is watched; `login` is a user and a password of HTTP Basic, if it wants one."""

    def __init__(self, name: str, url: str, login: tuple[str, str] | None = None) -> None:
        self.name, self.url = name, url
        self.session = requests.Session()
        # Neither a proxy nor a .netrc for the sandbox's own servers.
        self.session.trust_env = urlsplit(url).hostname not in LOOPBACK
        self.session.auth = login

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request, whatever the status below 500. Raises Away."""
        try:
            answer = self.session.request(
                method, self.url + path, timeout=SECONDS, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise Away(f"{self.name} does not answer at {self.url}: {type(error).__name__}") from error
        if answer.status_code >= 500:
            raise Away(f"{self.name} answers {answer.status_code} to {method} {path}")
        return answer

    def json(self, method: str, path: str, missing: Any = MISSING, **options: Any) -> Any:
        """The document of an answer, or `missing` where the server says 404. Raises Away."""
        answer = self.call(method, path, **options)
        if answer.status_code == 404 and missing is not MISSING:
            return missing
        if not answer.ok:
            raise Away(f"{self.name} answers {answer.status_code} to {method} {path}: {answer.text[:200]}")
        try:
            return answer.json()
        except ValueError as error:
            raise Away(f"{self.name} answers {method} {path} with what is not JSON") from error
