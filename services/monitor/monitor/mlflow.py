"""MLflow's REST API, read only: the served version with its run, and the newest run of drift."""

from typing import Any

from monitor.errors import Away
from monitor.sessions import Server

API = "/api/2.0/mlflow"
CHAMPION, PROMOTED_AT, DRIFT = "champion", "promoted_at", "drift"

Document = dict[str, Any]


class Mlflow:
    """Tracking server and registry."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.server = Server("MLflow", url, (user, password) if user else None)
        self._drift: str | None = None  # id of the experiment, which never changes

    def champion(self, name: str) -> tuple[str, str, str] | None:
        """Name, version and `promoted_at` of the champion: of model `name`, else of the one promoted last."""
        found = self._get("registered-models/search", max_results="1000").get("registered_models", [])
        rows = [(tags(row).get(PROMOTED_AT, ""), row) for row in found if name in ("", row["name"])]
        for promoted_at, row in sorted(rows, key=lambda pair: pair[0], reverse=True):
            versions = [a["version"] for a in row.get("aliases", []) if a["alias"] == CHAMPION]
            if versions and promoted_at:
                return row["name"], str(versions[0]), promoted_at
        return None

    def version(self, name: str, number: str) -> Document:
        """One model version. Raises Away."""
        return self._get("model-versions/get", name=name, version=number)["model_version"]

    def metrics(self, run_id: str) -> dict[str, float]:
        """The newest figures of a run, none of one that is gone. Raises Away."""
        found = self.server.json("GET", f"{API}/runs/get", None, params={"run_id": run_id})
        return read_figures(found["run"]["data"]) if found else {}

    def newest_drift(self) -> Document | None:
        """The newest finished run of the experiment `drift` that has a score, or None. Raises Away."""
        if self._drift is None:
            path = f"{API}/experiments/get-by-name"
            found = self.server.json("GET", path, None, params={"experiment_name": DRIFT})
            if not found:
                return None
            self._drift = found["experiment"]["experiment_id"]
        body = {
            "experiment_ids": [self._drift],
            "filter": "attributes.status = 'FINISHED' and metrics.score >= 0",
            "order_by": ["attributes.start_time DESC"],
            "max_results": 1,
        }
        runs = self.server.json("POST", f"{API}/runs/search", json=body).get("runs", [])
        return runs[0] if runs else None

    def _get(self, path: str, **query: str) -> Document:
        found = self.server.json("GET", f"{API}/{path}", None, params=query)
        if found is None:
            raise Away(f"MLflow has no {path} {query}")
        return found


def read_figures(data: Document) -> dict[str, float]:
    """The figures of a run as a plain mapping."""
    return {row["key"]: float(row["value"]) for row in data.get("metrics", [])}


def tags(row: Document) -> dict[str, str]:
    """The tags of a model, version or run as a plain mapping."""
    return {tag["key"]: tag["value"] for tag in row.get("tags", [])}
