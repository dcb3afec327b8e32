"""Airflow by its REST API v2: the runs of every DAG, their beginning and their end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loop.http import Service
from loop.settings import AirflowLogin

PAGE = 100  # rows of one answer, the most that Airflow gives
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Ran:
    """One run of a DAG, with the time for which it was asked; `ended` is None while it goes on."""

    dag_id: str
    run_id: str
    ended: datetime | None
    asked: datetime | None = None

    @property
    def key(self) -> str:
        """What no other run has, as `loop.run.Run` writes it."""
        return f"{self.dag_id}/{self.run_id}"


class Airflow:
    """The API server; one login for a few minutes of work."""

    def __init__(self, login: AirflowLogin) -> None:
        self.service = Service("Airflow", login.url)
        body = {"username": login.user, "password": login.password}
        token = self.service.json("POST", "/auth/token", json=body)["access_token"]
        self.service.session.headers["Authorization"] = f"Bearer {token}"

    def runs(self) -> list[Ran]:
        """Every run of every DAG, the newest first."""
        found: list[Ran] = []
        while True:
            query = {"limit": PAGE, "offset": len(found), "order_by": "-run_after"}
            page = self.service.json("GET", "/api/v2/dags/~/dagRuns", params=query)
            found += [_ran(row) for row in page["dag_runs"]]
            if len(page["dag_runs"]) < PAGE:
                return found

    def newest(self, dag_id: str, prefix: str) -> Ran | None:
        """The run of a DAG that was asked for last, of those whose id begins so."""
        query = {"run_id_prefix_pattern": prefix, "order_by": "-run_after", "limit": 1}
        found = self.service.json("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=query)["dag_runs"]
        return _ran(found[0]) if found else None

    def start(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> bool:
        """Ask for a run; False where there is one of that id already."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self.service.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body, accept=(409,))
        return answer.status_code != 409

    def delete(self, run: Ran) -> bool:
        """Remove a run with its tasks and what they said; False where it runs again, started by somebody."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}"
        return self.service.call("DELETE", path, accept=(404, 409)).status_code != 409


def _ran(row: dict[str, Any]) -> Ran:
    ended = row.get("end_date") if row["state"] in ENDED else None
    times = (datetime.fromisoformat(each) if each else None for each in (ended, row.get("run_after")))
    return Ran(row["dag_id"], row["dag_run_id"], *times)
