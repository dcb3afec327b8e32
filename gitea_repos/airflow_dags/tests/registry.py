"""MLflow's answers for runs, artifacts and the registry, in its own words and as far as the loop asks."""

from typing import Any

from tests.neighbours import Answer


class Registry:
    """An MLflow server in memory; `Server` answers with it."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, str]] = {}
        self.artifacts: dict[str, Any] = {}

    def add(self, name: str, run_id: str, **tags: str) -> str:
        """A version as training and `register` leave it."""
        model = self.models.setdefault(name, {"tags": {}, "aliases": {}, "versions": {}})
        number = str(len(model["versions"]) + 1)
        model["versions"][number] = {"run_id": run_id, "tags": dict(tags), "source": ""}
        self.runs.setdefault(run_id, {})
        return number

    def __call__(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if path.startswith("/api/2.0/mlflow-artifacts/artifacts/"):
            return self._artifact(method, path.removeprefix("/api/2.0/mlflow-artifacts/artifacts/"), body)
        name = path.removeprefix("/api/2.0/mlflow/").replace("-", "_").replace("/", "_")
        return getattr(self, f"{method.lower()}_{name}")(**(query or body or {}))

    def _artifact(self, method: str, path: str, body: Any) -> Answer:
        if method == "PUT":
            self.artifacts[path] = body
            return 200, ""
        return (200, self.artifacts[path]) if path in self.artifacts else _none("artifact")

    def _version(self, name: str, number: str) -> dict[str, Any]:
        found = self.models[name]["versions"][number]
        tags = [{"key": key, "value": value} for key, value in found["tags"].items()]
        return {"name": name, "version": number, "run_id": found["run_id"], "tags": tags}

    def post_registered_models_create(self, name: str) -> Answer:
        if name in self.models:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "already exists"}
        self.models[name] = {"tags": {}, "aliases": {}, "versions": {}}
        return 200, {"registered_model": {"name": name}}

    def post_model_versions_create(
        self, name: str, run_id: str, tags: Any, source: str, model_id: str
    ) -> Answer:
        assert source == f"models:/{model_id}"
        number = self.add(name, run_id, **{tag["key"]: tag["value"] for tag in tags})
        return 200, {"model_version": self._version(name, number)}

    def get_model_versions_get(self, name: str, version: str) -> Answer:
        if version not in self.models.get(name, {"versions": {}})["versions"]:
            return _none("Model Version")
        return 200, {"model_version": self._version(name, version)}

    def get_registered_models_search(self, **_: str) -> Answer:
        aliases = {
            name: [{"alias": alias, "version": number} for alias, number in model["aliases"].items()]
            for name, model in self.models.items()
        }
        return 200, {"registered_models": [{"name": name, "aliases": a} for name, a in aliases.items()]}

    def get_model_versions_search(self, filter: str, **_: str) -> Answer:
        value = filter.rsplit("='", 1)[1].rstrip("'")
        found = [
            self._version(name, number)
            for name, model in self.models.items()
            for number, version in model["versions"].items()
            if value in (version["run_id"], version["tags"].get("promoted_by"))
        ]
        return 200, {"model_versions": found}

    def post_model_versions_set_tag(self, name: str, version: str, key: str, value: str) -> Answer:
        self.models[name]["versions"][version]["tags"][key] = value
        return 200, {}

    def get_registered_models_get(self, name: str) -> Answer:
        tags = [{"key": key, "value": value} for key, value in self.models[name]["tags"].items()]
        return 200, {"registered_model": {"name": name, "tags": tags}}

    def post_registered_models_set_tag(self, name: str, key: str, value: str) -> Answer:
        self.models[name]["tags"][key] = value
        return 200, {}

    def delete_registered_models_delete_tag(self, name: str, key: str) -> Answer:
        self.models[name]["tags"].pop(key, None)
        return 200, {}

    def get_registered_models_alias(self, name: str, alias: str) -> Answer:
        if name not in self.models:
            return _none("Registered Model")
        if alias not in self.models[name]["aliases"]:
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": f"alias {alias} not found."}
        return 200, {"model_version": self._version(name, self.models[name]["aliases"][alias])}

    def post_registered_models_alias(self, name: str, alias: str, version: str) -> Answer:
        self.models[name]["aliases"][alias] = version
        return 200, {}

    def delete_registered_models_alias(self, name: str, alias: str) -> Answer:
        self.models[name]["aliases"].pop(alias, None)
        return 200, {}

    def get_runs_get(self, run_id: str) -> Answer:
        return 200, {"run": {"info": {"artifact_uri": f"mlflow-artifacts:/1/{run_id}/artifacts"}}}

    def post_runs_set_tag(self, run_id: str, key: str, value: str) -> Answer:
        self.runs.setdefault(run_id, {})[key] = value
        return 200, {}

    def post_experiments_search(self, **_: Any) -> Answer:
        return 200, {"experiments": [{"experiment_id": "1"}]}

    def post_runs_search(self, filter: str, **_: Any) -> Answer:
        wanted = dict(part.removeprefix("tags.").split(" = ") for part in filter.split(" and "))
        fits = [
            tags
            for tags in self.runs.values()
            if all(tags.get(key.strip("`")) == value.strip("'") for key, value in wanted.items())
        ]
        listed = [[{"key": key, "value": value} for key, value in tags.items()] for tags in fits]
        return 200, {"runs": [{"data": {"tags": tags}} for tags in listed]}


def _none(what: str) -> Answer:
    return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"{what} not found"}
