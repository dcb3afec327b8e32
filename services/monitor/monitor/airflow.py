"""Airflow's REST API v2, read only: runs of the two DAGs, their tasks, what tasks said."""

from collections.abc import Iterator
from typing import Any

from monitor.errors import Away
from monitor.sessions import Server

LOOP, PROMOTION = "train_and_serve", "promote_model"
DAGS = (LOOP, PROMOTION)
PAGE = 100  # rows of one answer, the most that Airflow gives
ENDED, GOING = ["success", "failed"], ["queued", "running"]

Row = dict[str, Any]


class Airflow:
    """One login, made anew where the token is no longer taken."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.server = Server("Airflow", url)
        self.login = {"username": user, "password": password}

    def going(self) -> list[Row]:
        """The runs that have not ended. Raises Away."""
        return list(self._runs({"states": GOING, "order_by": "run_after"}))

    def ended(self, since: str) -> Iterator[Row]:
        """The runs that ended at `since` (ISO 8601; empty: ever) or later, in that order. Raises Away."""
        at = {"end_date_gte": since} if since else {}
        yield from self._runs({"states": ENDED, "order_by": "end_date", **at})

    def tasks(self, run: Row) -> dict[str, Row]:
        """The task instances of a run by task id. Raises Away."""
        found = self._json("GET", f"{_path(run)}/taskInstances", {})
        return {row["task_id"]: row for row in found.get("task_instances", [])}

    def said(self, run: Row, task: str, key: str) -> dict[str, Any]:
        """What a task left under `key`; empty where it left nothing. Raises Away."""
        path = f"{_path(run)}/taskInstances/{task}/xcomEntries/{key}"
        value = self._json("GET", path, {}, params={"deserialize": "true"}).get("value")
        return value if isinstance(value, dict) else {}

    def _runs(self, wanted: dict[str, Any]) -> Iterator[Row]:
        offset = 0
        while True:
            body = {"dag_ids": DAGS, "page_limit": PAGE, "page_offset": offset, **wanted}
            page = self._json("POST", "/dags/~/dagRuns/list", {}, json=body).get("dag_runs", [])
            yield from page
            offset += PAGE
            if len(page) < PAGE:
                return

    def _json(self, method: str, path: str, missing: Any, **options: Any) -> Any:
        headers = self.server.session.headers
        if "Authorization" not in headers:
            token = self.server.json("POST", "/auth/token", json=self.login)["access_token"]
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self.server.json(method, f"/api/v2{path}", missing, **options)
        except Away:
            headers.pop("Authorization", None)  # it may be that: the next look logs in again
            raise


def _path(run: Row) -> str:
    return f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
