"""Airflow's REST API, as far as delivering needs it: https://airflow.apache.org/docs, Stable REST API v2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests

from ci.errors import DeliverError
from ci.sessions import session_for

SECONDS = 10


class NotYet(Exception):
    """Airflow or the status server may take it later: away, an error of the server, or not parsed yet."""


def call(session: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
    """One request. Raises NotYet where it may work later."""
    try:
        response = session.request(method, url, timeout=SECONDS, allow_redirects=False, **options)
    except requests.RequestException as error:
        raise NotYet(f"{url} does not answer ({type(error).__name__})") from error
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


@dataclass
class Airflow:
    """A client that logs in when it has to."""

    url: str
    user: str
    password: str
    session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = session_for(self.url)

    def log_in(self) -> None:
        """Get a token. Raises DeliverError where user or password are wrong, NotYet where Airflow is away."""
        body = {"username": self.user, "password": self.password}
        response = call(self.session, "POST", f"{self.url}/auth/token", json=body)
        if response.status_code == 404:
            raise NotYet(f"{self.url}/auth/token is not there yet")
        if response.status_code >= 300:
            raise DeliverError(
                f"Airflow at {self.url} refused the user {self.user!r}"
                f" ({response.status_code}: {text_of(response)}); check AIRFLOW_USER and AIRFLOW_PASSWORD."
            )
        try:
            token = response.json()["access_token"]
        except (ValueError, KeyError, TypeError) as error:
            raise DeliverError(
                f"{self.url}/auth/token gave no token; is AIRFLOW_URL Airflow's address?"
            ) from error
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request below /api/v2, with a new token where the old one has ended."""
        if "Authorization" not in self.session.headers:
            self.log_in()
        response = call(self.session, method, f"{self.url}/api/v2{path}", **options)
        if response.status_code == 401:
            self.log_in()
            response = call(self.session, method, f"{self.url}/api/v2{path}", **options)
        return response

    def get(self, path: str, **params: Any) -> dict[str, Any] | None:
        """A JSON object, None where it is not there. Raises DeliverError or NotYet."""
        response = self.call("GET", path, params=params)
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise DeliverError(f"Airflow refused GET {path} ({response.status_code}): {text_of(response)}")
        return response.json()
