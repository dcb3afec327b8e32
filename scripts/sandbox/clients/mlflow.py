"""MLflow's REST API: registered models and runs."""

from typing import Any

from sandbox.http import ApiError, Http

API = "/api/2.0/mlflow"


class Mlflow:
    """The registry of one tracking server; without a user it is asked without a login."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        self.http = Http("mlflow", url)
        if user:
            self.http.session.auth = (user, password)

    def version(self, name: str, version: str) -> dict[str, Any] | None:
        """One model version with its tags as a plain mapping, or None."""
        found = self.http.find(f"{API}/model-versions/get", name=name, version=version)
        return _with_tags(found["model_version"]) if found else None

    def versions(self, name: str) -> list[dict[str, Any]]:
        """The versions of a registered model, the newest first."""
        query = {"filter": f"name='{name}'", "order_by": "creation_timestamp DESC", "max_results": 200}
        found = self.http.get(f"{API}/model-versions/search", **query)
        return [_with_tags(version) for version in found.get("model_versions", [])]

    def champion(self, name: str) -> dict[str, Any] | None:
        """The version behind the alias `champion`, or None."""
        try:
            found = self.http.get(f"{API}/registered-models/alias", name=name, alias="champion")
        except ApiError as error:
            if error.status in (400, 404):  # no such alias, no such model
                return None
            raise
        return _with_tags(found["model_version"])

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias name this version."""
        self.http.call(
            "POST", f"{API}/registered-models/alias", json={"name": name, "alias": alias, "version": version}
        )

    def delete_alias(self, name: str, alias: str) -> None:
        """Let it name none; fine where it did not."""
        self.http.call("DELETE", f"{API}/registered-models/alias", json={"name": name, "alias": alias})

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a registered model."""
        body = {"name": name, "key": key, "value": value}
        self.http.call("POST", f"{API}/registered-models/set-tag", json=body)

    def run(self, run_id: str) -> dict[str, Any]:
        """One run. Raises ApiError where there is none."""
        found: dict[str, Any] = self.http.get(f"{API}/runs/get", run_id=run_id)["run"]
        return found

    def artifact(self, run_id: str, path: str) -> Any | None:
        """A JSON file of a run, or None."""
        return self.http.find("/get-artifact", run_uuid=run_id, path=path)

    def names(self) -> list[str]:
        """Every registered model."""
        answer = self.http.get(f"{API}/registered-models/search", max_results=100)
        return [model["name"] for model in answer.get("registered_models", [])]


def _with_tags(version: dict[str, Any]) -> dict[str, Any]:
    return version | {"tags": {tag["key"]: tag["value"] for tag in version.get("tags", [])}}
