"""Airflow's REST API v2: runs, tasks and what tasks said."""

from typing import Any

from sandbox.http import Http

RUN_PATH = "/api/v2/dags/{dag}/dagRuns"


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
        found = self.http.find(RUN_PATH.format(dag=dag), order_by="-run_after", limit=1)
        return found["dag_runs"][0] if found and found["dag_runs"] else None

    def tasks(self, dag: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run by task id."""
        answer = self.http.get(f"{RUN_PATH.format(dag=dag)}/{run_id}/taskInstances")
        return {row["task_id"]: row for row in answer["task_instances"]}

    def said(self, dag: str, run_id: str, task: str, key: str) -> Any:
        """An XCom value of a task, or None."""
        path = f"{RUN_PATH.format(dag=dag)}/{run_id}/taskInstances/{task}/xcomEntries/{key}"
        entry = self.http.find(path, deserialize="true")
        return entry["value"] if entry else None
