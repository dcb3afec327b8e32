"""Airflow, MLflow, commit statuses and Alertmanager as one server in this process.

What they say begins as what real ones said (`answers/`, recorded from an embedded sandbox): a run that failed
at `promote`, one that served, a promotion and a rollback by hand, and a rejected run.
"""

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ANSWERS = Path(__file__).parent / "answers"
TASKS = re.compile(r"/api/v2/dags/(\w+)/dagRuns/([\w-]+)/taskInstances")
XCOM = re.compile(TASKS.pattern + r"/(\w+)/xcomEntries/(\w+)")
STATUSES = re.compile(r"/api/v1/repos/mlops/(\w+)/(?:statuses/(\w+)|commits/(\w+)/status)")
MLFLOW = "/api/2.0/mlflow/"
FAILED, SERVED, PROMOTED, ROLLED_BACK, REJECTED = range(5)  # places of the recorded runs


def recorded(name: str) -> Any:
    return json.loads((ANSWERS / f"{name}.json").read_text())


class World:
    """`away` names what does not work now: airflow, mlflow, statuses, alertmanager."""

    def __init__(self) -> None:
        airflow, mlflow = recorded("airflow"), recorded("mlflow")
        self.runs: list[dict[str, Any]] = airflow["runs"]
        self.tasks, self.xcoms = airflow["tasks"], airflow["xcoms"]
        self.models, self.version, self.run = mlflow["models"], mlflow["version"], mlflow["run"]
        self.drift: list[dict[str, Any]] | None = None
        self.statuses: dict[str, list[dict[str, Any]]] = recorded("statuses")
        self.alerts: list[dict[str, Any]] = []
        self.refuses_alerts = 0  # a status to answer with
        self.token = "jwt-1"
        self.away: set[str] = set()
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.answer))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, target: str, body: Any, headers: Any) -> tuple[int, Any]:
        url = urlsplit(target)
        self.asked.append(f"{method} {url.path}")
        owner, answer = self._owner(url.path)
        if owner in self.away:
            return 503, {"detail": "not now"}
        return answer(method, url.path, body, headers, parse_qs(url.query))

    def _owner(self, path: str) -> tuple[str, Callable[..., tuple[int, Any]]]:
        if path == "/api/v2/alerts":
            return "alertmanager", self._alertmanager
        if path.startswith(MLFLOW):
            return "mlflow", self._mlflow
        if path.startswith("/api/v1/"):
            return "statuses", self._statuses
        return "airflow", self._airflow

    def _airflow(self, _method: str, path: str, body: Any, headers: Any, _query: Any) -> tuple[int, Any]:
        if path == "/auth/token":
            return 201, {"access_token": self.token}
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"detail": "Invalid token"}
        if path.endswith("/dagRuns/list"):
            return 200, self._listed(body)
        if found := XCOM.fullmatch(path):
            key = "{}/{}/{}/{}".format(*found.groups())
            return (200, {"value": self.xcoms[key]}) if key in self.xcoms else (404, {"detail": "none"})
        if found := TASKS.fullmatch(path):
            return 200, {"task_instances": self.tasks.get("/".join(found.groups()), [])}
        return 404, {"detail": "Not Found"}

    def _listed(self, body: dict[str, Any]) -> dict[str, Any]:
        since, order = body.get("end_date_gte", ""), body["order_by"]
        found = [
            run
            for run in self.runs
            if run["state"] in body["states"]
            and run["dag_id"] in body["dag_ids"]
            and (run["end_date"] or "") >= since[:19]
        ]
        found.sort(key=lambda run: run[order] or "")
        first = body["page_offset"]
        return {"dag_runs": found[first : first + body["page_limit"]], "total_entries": len(found)}

    def _mlflow(self, _method: str, path: str, _body: Any, _headers: Any, query: Any) -> tuple[int, Any]:
        what = path.removeprefix(MLFLOW)
        if what == "registered-models/search":
            return 200, self.models
        if what == "model-versions/get":
            changed = {"name": query["name"][0], "version": query["version"][0]}
            return 200, {"model_version": self.version["model_version"] | changed}
        if what == "runs/get":
            return 200, self.run
        if what == "experiments/get-by-name" and self.drift is not None:
            return 200, {"experiment": {"experiment_id": "7"}}
        if what == "runs/search":
            return 200, {"runs": self.drift}
        return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}

    def _statuses(self, _method: str, path: str, _body: Any, _headers: Any, _query: Any) -> tuple[int, Any]:
        found = STATUSES.fullmatch(path)
        assert found, path
        rows = self.statuses.get(found[2] or found[3], [])
        if found[2]:
            return 200, rows
        newest = {row["context"]: row for row in rows}
        return 200, {"sha": found[3], "statuses": [*newest.values()]}

    def _alertmanager(self, _m: str, _path: str, body: Any, _headers: Any, _query: Any) -> tuple[int, Any]:
        if self.refuses_alerts:
            return self.refuses_alerts, {"message": "no"}
        self.alerts += body
        return 200, {}


def _handler(answer: Callable[..., tuple[int, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece: two wait for an acknowledgement between them

        def respond(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, document = answer(self.command, self.path, json.loads(raw or b"null"), self.headers)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = respond

        def log_message(self, *_: object) -> None:
            pass

    return Handler
