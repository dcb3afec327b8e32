"""Whether Airflow has read the DAGs of a commit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ci.airflow import Airflow
from ci.errors import DeliverError
from ci.git import contains
from ci.sessions import NotYet

# an error that was there before may come from the commit before; repeated after this, it is of the new one
REFRESH = timedelta(seconds=30)


class BundleWatch:
    """Looks at Airflow again and again until the bundle's version is the commit, or one built on it."""

    def __init__(self, airflow: Airflow, dag: str, commit: str, folder: Path, remote: str) -> None:
        self.airflow = airflow
        self.dag = dag
        self.commit = commit
        self.folder = folder
        self.remote = remote
        self.started = datetime.now(UTC)
        self.old_errors: set[tuple[str, str]] | None = None
        self.bundle = ""

    def look(self) -> str:
        """What to say when it is there. Raises NotYet, or DeliverError for an import error of the commit."""
        dag = self.airflow.get(f"/dags/{self.dag}")
        self.bundle = (dag or {}).get("bundle_name") or self.bundle
        self._check_errors()
        if dag is None:
            raise NotYet(f"Airflow does not know the DAG {self.dag} yet")
        version = dag.get("bundle_version") or ""
        if version == self.commit:
            return f"Airflow's bundle is at {self.commit[:12]}"
        if version and contains(self.folder, self.remote, version, self.commit):
            return f"Airflow's bundle is at {version[:12]}, which contains {self.commit[:12]}"
        raise NotYet(f"Airflow's bundle is at {version[:12] or 'no version'}")

    def _check_errors(self) -> None:
        found = (self.airflow.get("/importErrors", limit=100) or {}).get("import_errors", [])
        mine = [error for error in found if not self.bundle or error.get("bundle_name") == self.bundle]
        if self.old_errors is None:
            self.old_errors = {identity(error) for error in mine}
        for error in mine:
            if identity(error) not in self.old_errors or self._is_repeated(error):
                file = error.get("filename")
                raise DeliverError(
                    f"Airflow cannot import {file}: {(error.get('stack_trace') or '').strip()[-2000:]}"
                )

    def _is_repeated(self, error: dict[str, Any]) -> bool:
        try:
            seen = datetime.fromisoformat(str(error.get("timestamp")))
        except ValueError:
            return False
        return seen.replace(tzinfo=seen.tzinfo or UTC) > self.started + REFRESH


def identity(error: dict[str, Any]) -> tuple[str, str]:
    """What makes an import error the same one."""
    return str(error.get("filename")), str(error.get("stack_trace"))
