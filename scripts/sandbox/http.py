"""HTTP with one base address, one time limit and errors that name the service."""

from typing import Any

import requests

from sandbox.errors import ServiceError

TIMEOUT = 10.0  # seconds; every call is to this machine


class ApiError(ServiceError):
    """A service answered with an error status, or not at all (`status` 0)."""

    def __init__(self, message: str, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status


class Http:
    """One service: its name for messages, its address, headers sent with each call."""

    def __init__(self, service: str, url: str, headers: dict[str, str] | None = None) -> None:
        self.service = service
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy and no .netrc between this machine and itself
        self.session.headers.update(headers or {})

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Raises ApiError on an error status or when the service cannot be reached."""
        try:
            answer = self.session.request(method, self.url + path, timeout=TIMEOUT, **options)
        except requests.RequestException as error:
            reason = "no connection" if isinstance(error, requests.ConnectionError) else str(error)
            raise ApiError(f"{self.service} at {self.url}: {reason}", hint="Run: make status") from error
        if answer.status_code >= 400:
            text = answer.text.strip()[:300]
            raise ApiError(
                f"{self.service}: {method} {path} answered {answer.status_code}: {text}", answer.status_code
            )
        return answer

    def get(self, path: str, /, **query: Any) -> Any:
        """The JSON of a GET."""
        return self._json(self.call("GET", path, params=query))

    def find(self, path: str, /, **query: Any) -> Any | None:
        """The JSON of a GET, or None where the answer is 404."""
        try:
            return self.get(path, **query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def post(self, path: str, body: Any) -> Any:
        """The JSON of a POST with a JSON body."""
        return self._json(self.call("POST", path, json=body))

    def _json(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            raise ApiError(f"{self.service} at {self.url} did not answer in JSON: is it ours?") from error
