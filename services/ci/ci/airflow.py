"""Airflow's REST API, as far as runs need it: https://airflow.apache.org/docs, Stable REST API v2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests

from ci.errors import DeliverError
from ci.sessions import NotYet, call, session_for, text_of

PAGE_SIZE = 100  # the most that Airflow gives unless it is told otherwise


class UnknownDag(NotYet):
    """Airflow has no DAG of that name, or has not read it yet."""


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

    def start_run(self, dag: str, run: str, conf: dict[str, Any]) -> bool:
        """Ask for a run; whether it is new. Raises UnknownDag, NotYet or DeliverError."""
        body = {"dag_run_id": run, "logical_date": None, "conf": conf}
        response = self.call("POST", f"/dags/{dag}/dagRuns", json=body)
        if response.status_code == 404:
            raise UnknownDag(f"Airflow does not know the DAG {dag} yet")
        if response.status_code == 409:
            return False
        if response.status_code >= 300:
            raise DeliverError(f"Airflow refused the run {run} ({response.status_code}): {text_of(response)}")
        return True

    def dags(self) -> list[str]:
        """The names of the DAGs that Airflow has read, sorted. Raises DeliverError or NotYet."""
        names: list[str] = []
        while True:
            found = self.get("/dags", limit=PAGE_SIZE, offset=len(names)) or {}
            names += [dag["dag_id"] for dag in found.get("dags", [])]
            if not found.get("dags") or len(names) >= found.get("total_entries", 0):
                return sorted(names)

    def run(self, dag: str, run: str) -> dict[str, Any] | None:
        """A run, None where it is not there. Raises DeliverError or NotYet."""
        return self.get(f"/dags/{dag}/dagRuns/{run}")

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        """The states of a run's tasks that have one. Raises DeliverError or NotYet."""
        found = (self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances") or {}).get("task_instances", [])
        return {task["task_id"]: task["state"] for task in found if task["state"]}

    def outcome(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """What a task said of its end; empty where it said nothing. Raises DeliverError or NotYet."""
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/outcome"
        said = (self.get(path, deserialize="true") or {}).get("value")
        return said if isinstance(said, dict) else {}
