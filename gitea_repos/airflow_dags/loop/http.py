"""One HTTP service: a base address, a session, and two kinds of failure instead of many."""

import re
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from loop.errors import Refused, Unreachable

TIMEOUT = (5, 30)  # seconds: to connect, to answer

# A server that is just restarting is met again after half a second; longer outages the scheduler retries.
RETRY = Retry(total=2, connect=2, read=0, status=0, backoff_factor=0.5)


class Service:
    """A server with a name for messages; every call raises Unreachable or Refused, nothing else."""

    def __init__(self, name: str, address: str, login: tuple[str, str] | None = None) -> None:
        self.name = name
        self.address = address.rstrip("/")
        self.shown = re.sub(
            r"//[^/@]*@", "//", self.address
        )  # a password in an address stays out of messages
        self.session = requests.Session()
        self.session.mount("http", HTTPAdapter(max_retries=RETRY))
        self.session.auth = login  # HTTP Basic

    def call(
        self, method: str, path: str, *, accept: tuple[int, ...] = (), **options: Any
    ) -> requests.Response:
        """Send one request and give the answer when its status is below 400, or one of `accept`."""
        options.setdefault("timeout", TIMEOUT)
        try:
            answer = self.session.request(method, self.address + path, **options)
        except requests.RequestException as error:
            raise Unreachable(f"{self.name} at {self.shown} did not answer: {innermost(error)}") from error
        if answer.status_code in accept:
            return answer
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unreachable(f"{self.name} at {self.shown}{path} answered {answer.status_code}")
        if answer.status_code >= 400:
            code, message = _complaint(answer)
            sentence = f"{self.name} refused {method} {path} ({answer.status_code}): {message}"
            raise Refused(sentence, answer.status_code, code)
        return answer

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send one request and give the JSON object of its answer."""
        answer = self.call(method, path, **options)
        return document(answer, self.name)


def document(answer: requests.Response, name: str) -> dict[str, Any]:
    """The JSON object in an answer; raises Unreachable when it holds none: somebody else answered."""
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unreachable(f"{name} answered something that is not a JSON object")
    return value


def _complaint(answer: requests.Response) -> tuple[str, str]:
    """The server's own code and message, in MLflow's, Gitea's or problem+json's words."""
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return "", answer.text[:200].strip() or answer.reason
    message = value.get("detail") or value.get("message") or value.get("title") or answer.reason
    return str(value.get("error_code", "")), str(message)


def innermost(error: Exception) -> str:
    """The innermost reason of a failed request, without urllib3's object names."""
    cause: Any = error
    while (inner := getattr(cause, "reason", None) or (cause.args and cause.args[0])) and isinstance(
        inner, Exception
    ):
        cause = inner
    return str(cause).rsplit("object at", 1)[-1].split(": ", 1)[-1] or type(cause).__name__
