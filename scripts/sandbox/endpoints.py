"""The one table of addresses, and loop.env made from it.

`inside` is what machines use, `outside` what people and statuses use; the embedded driver has both alike.
"""

from dataclasses import dataclass
from pathlib import Path

from sandbox.settings import ORGANISATION, Settings


@dataclass(frozen=True)
class Address:
    """One thing, seen from inside and from outside the services' network."""

    inside: str
    outside: str

    @property
    def folder(self) -> Path:
        """The folder of a file:// address."""
        return Path(self.outside.removeprefix("file://"))


@dataclass(frozen=True)
class Endpoints:
    """Every address of a running sandbox."""

    git: Address
    ci: Address
    status: Address
    airflow: Address
    mlflow: Address
    prediction_api: Address
    data: Address
    dvc: Address
    images: Address
    task_runtime: str

    def loop_env(self, settings: Settings) -> dict[str, str]:
        """What CI builds, DAGs and tasks get, the same keys in every driver (docs/architecture.md)."""
        return {
            "ORGANISATION": ORGANISATION,
            "GIT_URL": self.git.inside,
            "STATUS_URL": self.status.inside,
            "STATUS_TOKEN": settings.ci_token,
            "AIRFLOW_URL": self.airflow.inside,
            "AIRFLOW_USER": "loop",
            "AIRFLOW_PASSWORD": settings.airflow_loop_password,
            "MLFLOW_TRACKING_URI": self.mlflow.inside,
            "API_URL": self.prediction_api.inside,
            "DATA_URL": self.data.inside,
            "RAW_DATABASE_URL": settings.raw_database_url,
            "DVC_REMOTE_URL": self.dvc.inside,
            "IMAGE_STORE": self.images.inside,
            "TASK_RUNTIME": self.task_runtime,
            "PROMOTION": settings.promotion,
            "LOOP_SCHEDULE": settings.loop_schedule,
            "AIRFLOW_WEB_URL": self.airflow.outside,
            "MLFLOW_WEB_URL": self.mlflow.outside,
            "CI_WEB_URL": self.ci.outside,
            "API_WEB_URL": self.prediction_api.outside,
        }

    def clone_url(self, repository: str) -> str:
        """Where a person on this machine clones from and pushes to."""
        return f"{self.git.outside}/{repository}.git"


def embedded_endpoints(settings: Settings, state: Path) -> Endpoints:
    """Processes on this machine: ports of 127.0.0.1 and folders below `state`."""
    ci = _local(settings.ci_port)
    return Endpoints(
        git=_folder(state / "git" / ORGANISATION),
        ci=ci,
        status=Address(f"{ci.inside}/api/v1", f"{ci.outside}/api/v1"),
        airflow=_local(settings.airflow_port),
        mlflow=_local(settings.mlflow_port),
        prediction_api=_local(settings.prediction_api_port),
        data=_folder(state / "data"),
        dvc=_folder(state / "dvc"),
        images=_folder(state / "images"),
        task_runtime="process",
    )


def _local(port: int) -> Address:
    return Address(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}")


def _folder(path: Path) -> Address:
    return Address(f"file://{path}", f"file://{path}")
