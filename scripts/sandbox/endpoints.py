"""The one table of addresses, and loop.env made from it.

`inside` is what machines use, `outside` what people and statuses use; the embedded driver has both alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.settings import ORGANISATION, Settings

OWNER = "sandbox"  # who owns the organisation in Gitea, and the administrator of MySQL and MinIO
LOOP = "loop"  # who CI builds and tasks are, in every service


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
    monitor: Address
    data: Address
    dvc: Address
    images: Address
    task_runtime: str
    repository_pages: str  # where people look at a repository: {name} is its name
    logins: Mapping[str, str] = field(default_factory=dict)  # keys of loop.env, where stores have logins
    dvc_login: Mapping[str, str] = field(default_factory=dict)  # options of DVC's remote on this machine

    def loop_env(self, settings: Settings) -> dict[str, str]:
        """What CI builds, DAGs and tasks get, the same keys in every driver (docs/architecture.md)."""
        return {
            "ORGANISATION": ORGANISATION,
            "GIT_URL": self.git.inside,
            "STATUS_URL": self.status.inside,
            "STATUS_USER": LOOP,
            "STATUS_TOKEN": settings.ci_token,
            "AIRFLOW_URL": self.airflow.inside,
            "AIRFLOW_USER": LOOP,
            "AIRFLOW_PASSWORD": settings.airflow_loop_password,
            "MLFLOW_TRACKING_URI": self.mlflow.inside,
            "API_URL": self.prediction_api.inside,
            "API_TOKEN": settings.api_token,
            "DATA_URL": self.data.inside,
            "RAW_DATABASE_URL": settings.raw_database_url,
            "DVC_REMOTE_URL": self.dvc.inside,
            "IMAGE_STORE": self.images.inside,
            "TASK_RUNTIME": self.task_runtime,
            "PROMOTION": settings.promotion,
            "LOOP_SCHEDULE": settings.loop_schedule,
            "DRIFT_SCHEDULE": settings.drift_schedule,
            "KEEP_RUN_DAYS": str(settings.keep_run_days),
            "AIRFLOW_WEB_URL": self.airflow.outside,
            "MLFLOW_WEB_URL": self.mlflow.outside,
            "CI_WEB_URL": self.ci.outside,
            "API_WEB_URL": self.prediction_api.outside,
            **self.logins,
        }

    @property
    def hook_url(self) -> str:
        """Where CI takes signed pushes, as machines reach it."""
        return f"{self.ci.inside}/generic-webhook-trigger/invoke"

    def clone_url(self, repository: str) -> str:
        """Where a person on this machine clones from and pushes to."""
        return f"{self.git.outside}/{repository}.git"

    def web_url(self, repository: str) -> str:
        """The page of a repository."""
        return self.repository_pages.format(name=repository)

    def dvc_remote(self) -> dict[str, str]:
        """The options of DVC's remote, as a person on this machine needs them."""
        url = self.dvc.outside
        return {"url": str(self.dvc.folder) if url.startswith("file://") else url, **self.dvc_login}


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
        monitor=_local(settings.monitor_port),
        data=_folder(state / "data"),
        dvc=_folder(state / "dvc"),
        images=_folder(state / "images"),
        task_runtime="process",
        repository_pages=f"{ci.outside}/job/{{name}}/",
    )


def docker_endpoints(settings: Settings) -> Endpoints:
    """Containers of one Compose network, their ports published on 127.0.0.1."""
    gitea, page = "gitea:3000", f"127.0.0.1:{settings.gitea_port}"
    store = {"endpointurl": f"http://127.0.0.1:{settings.minio_port}", "region": S3_REGION}
    return Endpoints(
        git=Address(
            f"http://{LOOP}:{settings.ci_token}@{gitea}/{ORGANISATION}",
            f"http://{OWNER}:{settings.gitea_admin_password}@{page}/{ORGANISATION}",
        ),
        ci=_published("jenkins:8080", settings.ci_port),
        status=Address(f"http://{gitea}/api/v1", f"http://{page}/api/v1"),
        airflow=_published("airflow-api:8080", settings.airflow_port),
        mlflow=_published("mlflow:5000", settings.mlflow_port),
        prediction_api=_published("prediction-api:8000", settings.prediction_api_port),
        monitor=_published("monitor:8000", settings.monitor_port),
        data=Address("s3://data", "s3://data"),
        dvc=Address("s3://dvc", "s3://dvc"),
        images=Address("registry:5000", f"127.0.0.1:{settings.registry_port}"),
        task_runtime="docker",
        repository_pages=f"http://{page}/{ORGANISATION}/{{name}}",
        logins={
            "MLFLOW_TRACKING_USERNAME": LOOP,
            "MLFLOW_TRACKING_PASSWORD": settings.mlflow_loop_password,
            "AWS_ACCESS_KEY_ID": LOOP,
            "AWS_SECRET_ACCESS_KEY": settings.s3_loop_secret,
            "AWS_ENDPOINT_URL_S3": "http://minio:9000",
            "AWS_REGION": S3_REGION,
            "TASK_MEMORY": settings.task_memory,
            "TASK_CPUS": str(settings.task_cpus),
        },
        dvc_login=store | {"access_key_id": LOOP, "secret_access_key": settings.s3_loop_secret},
    )


S3_REGION = "us-east-1"


def _published(inside: str, port: int) -> Address:
    return Address(f"http://{inside}", f"http://127.0.0.1:{port}")


def _local(port: int) -> Address:
    return Address(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}")


def _folder(path: Path) -> Address:
    return Address(f"file://{path}", f"file://{path}")
