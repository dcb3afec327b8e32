"""Airflow's REST API v2: runs, tasks and what tasks said."""

from typing import Any

from sandbox.http import ApiError, Http

RUN_PATH = "/api/v2/dags/{dag}/dagRuns"
MOST = 100  # rows of one answer


class Airflow:
    """One login, one token; the token lives longer than any command."""

    def __init__(self, url: str, user: str, password: str) -> None:
        token = Http("airflow", url).post("/auth/token", {"username": user, "password": password})[
            "access_token"
        ]
        self.http = Http("airflow", url, {"Authorization": f"Bearer {token}"})

    def run(self, dag: str, run_id: str) -> dict[str, Any] | None:
        """One run, or None."""
        return self.http.find(f"{RUN_PATH.format(dag=dag)}/{run_id}")

    def newest_run(self, dag: str) -> dict[str, Any] | None:
        """The run that was asked for last, or None."""
        return next(iter(self.runs(dag, order_by="-run_after", limit=1)), None)

    def runs(self, dag: str, **query: str | int) -> list[dict[str, Any]]:
        """Runs that fit Airflow's own filters, at most `MOST`; none where there is no such DAG."""
        found = self.http.find(RUN_PATH.format(dag=dag), **{"limit": MOST, **query})
        return found["dag_runs"] if found else []

    def start(self, dag: str, run_id: str, conf: dict[str, Any]) -> bool:
        """Ask for a run; False: there is one of that id. Raises ApiError, also where there is no such DAG."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        try:
            self.http.post(RUN_PATH.format(dag=dag), body)
        except ApiError as error:
            if error.status == 404:
                hint = "It reads airflow_dags a moment after its start. Run: make status"
                raise ApiError(f"Airflow has no DAG {dag}.", 404, hint) from error
            if error.status != 409:
                raise
            return False
        return True

    def tasks(self, dag: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run by task id."""
        answer = self.http.get(f"{RUN_PATH.format(dag=dag)}/{run_id}/taskInstances")
        return {row["task_id"]: row for row in answer["task_instances"]}

    def said(self, dag: str, run_id: str, task: str, key: str) -> Any:
        """An XCom value of a task, or None."""
        path = f"{RUN_PATH.format(dag=dag)}/{run_id}/taskInstances/{task}/xcomEntries/{key}"
        entry = self.http.find(path, deserialize="true")
        return entry["value"] if entry else None
