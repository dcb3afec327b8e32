"""Which images somebody needs: the newest green commits, the registry's aliases, and unfinished runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci.airflow import Airflow
from ci.command_settings import AirflowSettings
from ci.deliver import DAG
from ci.errors import CiError
from ci.git import git
from ci.repositories import Repositories
from ci.sessions import NotYet, call, session_for, text_of
from ci.settings import address
from ci.statuses import CONTEXT, Statuses

IMAGE = "image"  # the status whose description is the image of a commit
HISTORY = 50  # commits of main among which a run looks for a green one (docs/architecture.md, seam 8)
UNFINISHED = ("queued", "running")
CHOSEN = ("code_commit", "data_commit", "data_version")  # conf of a run that uses something old
REST = "/api/2.0/mlflow/"


@dataclass(frozen=True)
class Needs:
    """Who needs which images; `loop` are the keys of loop.env."""

    repositories: Repositories
    statuses: Statuses
    loop: Mapping[str, str]

    def refs(self) -> set[str]:
        """Every image that somebody needs. Raises NotYet or CiError where somebody cannot be asked."""
        return {*self._of_commits(), *self._of_models(), *self._of_runs()}

    def _of_commits(self) -> Iterator[str]:
        """What the next run takes of each repository: its newest green commit."""
        for repository in self.repositories.names():
            for sha in self._newest(repository):
                states = {status.context: status for status in self.statuses.latest(repository, sha)}
                if IMAGE in states and CONTEXT in states and states[CONTEXT].state == "success":
                    yield states[IMAGE].description
                    break

    def _newest(self, repository: str) -> list[str]:
        main = self.repositories.resolve(repository, "main")
        count = ("--first-parent", f"--max-count={HISTORY}")
        return git(self.repositories.path(repository), "rev-list", *count, main).split() if main else []

    def _of_commit(self, sha: str) -> list[str]:
        return self.statuses.described(sha, IMAGE) if sha else []

    def _of_models(self) -> Iterator[str]:
        """What the versions with an alias were made with: the served one, and one that may wait."""
        models = self._mlflow("registered-models/search", max_results="1000").get("registered_models", [])
        for model in models:
            for alias in model.get("aliases", []):
                wanted = {"name": model["name"], "version": alias["version"]}
                version = self._mlflow("model-versions/get", **wanted)["model_version"]
                tags = {tag["key"]: tag["value"] for tag in version.get("tags", [])}
                yield tags.get("image", "")
                yield from self._of_commit(tags.get("data_commit", ""))

    def _of_runs(self) -> Iterator[str]:
        """What runs that have not ended use, by their conf and by what `plan` has settled."""
        settings = AirflowSettings.from_env(self.loop)
        airflow = Airflow(settings.url, settings.user, settings.password)
        found = airflow.get(f"/dags/{DAG}/dagRuns", state=UNFINISHED, limit=100)
        if found is None:
            raise NotYet(f"Airflow has no DAG {DAG} at the moment")
        for run in found["dag_runs"]:
            conf, planned = run.get("conf") or {}, self._plan(airflow, run["dag_run_id"])
            if not planned and any(conf.get(key) for key in CHOSEN):
                raise NotYet(f"the run {run['dag_run_id']} has not settled yet which old images it needs")
            yield from (str(conf.get(IMAGE) or ""), *self._of_commit(str(conf.get("commit") or "")))
            yield from (planned.get("code_image", ""), planned.get("data_image", ""))

    def _plan(self, airflow: Airflow, run: str) -> dict[str, Any]:
        path = f"/dags/{DAG}/dagRuns/{run}/taskInstances/plan/xcomEntries/return_value"
        said = (airflow.get(path, deserialize="true") or {}).get("value")
        return said if isinstance(said, dict) else {}

    def _mlflow(self, path: str, **query: str) -> dict[str, Any]:
        url = address(self.loop, "MLFLOW_TRACKING_URI")
        session = session_for(url)
        if user := self.loop.get("MLFLOW_TRACKING_USERNAME"):
            session.auth = (user, self.loop.get("MLFLOW_TRACKING_PASSWORD", ""))
        response = call(session, "GET", f"{url}{REST}{path}", params=query)
        if response.status_code != 200:
            raise CiError(f"MLflow refused {path} ({response.status_code}): {text_of(response)}")
        return response.json()
