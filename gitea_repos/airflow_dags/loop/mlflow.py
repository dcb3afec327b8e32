"""MLflow by its REST API: runs, artifacts, registry. Importing its package would cost each task seconds.

Protocol: MLflow's REST API 2.0 and its artifact proxy, `/api/2.0/mlflow-artifacts`.
"""

import json
from dataclasses import dataclass
from typing import Any

from loop.errors import Failure, Refused
from loop.http import Service, document
from loop.settings import Settings

REST = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    name: str
    number: str
    run_id: str
    tags: dict[str, str]


class MLflow:
    """The tracking server and its registry; logs in where the settings name a user."""

    def __init__(self, settings: Settings) -> None:
        login = settings.mlflow_tracking_username, settings.mlflow_tracking_password
        self.service = Service("MLflow", settings.mlflow_tracking_uri, login if login[0] else None)

    # -- the registry

    def version(self, name: str, number: str) -> Version:
        """One version; raises Refused (404) when there is none."""
        answer = self._get("model-versions/get", name=name, version=number)
        return _version(answer["model_version"])

    def aliased(self, name: str, alias: str) -> Version | None:
        """The version behind an alias, or None."""
        try:
            answer = self._get("registered-models/alias", name=name, alias=alias)
        except Refused as refusal:
            # An alias that is not there is 400 INVALID_PARAMETER_VALUE, a model that is not there 404.
            if refusal.status in (400, 404):
                return None
            raise
        return _version(answer["model_version"])

    def versions(self, condition: str) -> list[Version]:
        """The versions that a filter of MLflow's finds, the newest first."""
        answer = self._get("model-versions/search", filter=condition, order_by="creation_timestamp DESC")
        return [_version(found) for found in answer.get("model_versions", [])]

    def all_aliased(self) -> list[Version]:
        """The versions of every registered model that have an alias."""
        models = self._get("registered-models/search", max_results="1000").get("registered_models", [])
        pairs = {(model["name"], each["version"]) for model in models for each in model.get("aliases", [])}
        return [self.version(name, str(number)) for name, number in sorted(pairs)]

    def register(self, name: str, run_id: str, model_id: str, tags: dict[str, str]) -> Version:
        """The version of a logged model; the version that a run already has is given again."""
        try:
            self._post("registered-models/create", name=name)
        except Refused as refusal:
            if refusal.code != "RESOURCE_ALREADY_EXISTS":
                raise
        if found := self.versions(f"name='{name}' and run_id='{run_id}'"):
            return found[0]
        source = {"source": f"models:/{model_id}", "run_id": run_id, "model_id": model_id}
        answer = self._post("model-versions/create", name=name, tags=_tag_list(tags), **source)
        return _version(answer["model_version"])

    def set_alias(self, name: str, alias: str, number: str) -> None:
        """Point an alias at a version."""
        self._post("registered-models/alias", name=name, alias=alias, version=number)

    def delete_alias(self, name: str, alias: str) -> None:
        """Take an alias away."""
        self.service.json("DELETE", f"{REST}registered-models/alias", json={"name": name, "alias": alias})

    def model_tag(self, name: str, key: str) -> str | None:
        """The value of a registered model's tag, or None."""
        tags = self._get("registered-models/get", name=name)["registered_model"].get("tags", [])
        return _tags(tags).get(key)

    def set_model_tag(self, name: str, key: str, value: str | None) -> None:
        """Set a registered model's tag, or take it away with None."""
        if value is None:
            self.service.json(
                "DELETE", f"{REST}registered-models/delete-tag", json={"name": name, "key": key}
            )
        else:
            self._post("registered-models/set-tag", name=name, key=key, value=value)

    def set_version_tag(self, version: Version, key: str, value: str) -> None:
        """Set a tag of a version."""
        self._post("model-versions/set-tag", name=version.name, version=version.number, key=key, value=value)

    # -- runs and their artifacts

    def find_runs(self, tags: dict[str, str]) -> list[dict[str, str]]:
        """The tags of the newest finished and unfinished runs that carry all of `tags`, in any experiment."""
        found = self._post("experiments/search", max_results=1000).get("experiments", [])
        body = {
            "experiment_ids": [experiment["experiment_id"] for experiment in found],
            "filter": " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items()),
            "order_by": ["attributes.start_time DESC"],
            "max_results": 20,
        }
        return [
            _tags(run["data"].get("tags", [])) for run in self._post("runs/search", **body).get("runs", [])
        ]

    def set_run_tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run."""
        self._post("runs/set-tag", run_id=run_id, key=key, value=value)

    def read(self, run_id: str, name: str) -> dict[str, Any] | None:
        """A JSON artifact of a run, or None when the run has no artifact of that name."""
        try:
            answer = self.service.call("GET", self._artifact(run_id, name))
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise
        return document(answer, "MLflow")

    def write(self, run_id: str, name: str, value: dict[str, Any]) -> None:
        """Store a JSON artifact in a run."""
        body = json.dumps(value, indent=2, ensure_ascii=False).encode()
        self.service.call("PUT", self._artifact(run_id, name), data=body)

    def _artifact(self, run_id: str, name: str) -> str:
        info = self._get("runs/get", run_id=run_id)["run"]["info"]
        scheme, _, path = info["artifact_uri"].partition(":")
        if scheme != "mlflow-artifacts":
            found = f"the artifacts of run {run_id} are at {scheme}:"
            raise Failure(f"{found} start MLflow with --serve-artifacts and use a new experiment")
        return f"{ARTIFACTS}{path.lstrip('/')}/{name}"

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        return self.service.json("GET", REST + path, params=query)

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return self.service.json("POST", REST + path, json=body)


def _version(found: dict[str, Any]) -> Version:
    return Version(
        found["name"], str(found["version"]), found.get("run_id", ""), _tags(found.get("tags", []))
    )


def _tags(found: list[dict[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in found}


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
