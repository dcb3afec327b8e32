"""The services of the embedded driver: one card each, the counterpart of a compose block."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.drivers import prometheus_files
from sandbox.drivers.environments import environment_digest
from sandbox.drivers.record import remembered_machine
from sandbox.endpoints import LOOP, Endpoints
from sandbox.settings import DEPLOYED, ORGANISATION, REPOSITORIES, ROOT, Settings


@dataclass(frozen=True)
class Process:
    """One supervised process; healthy if GET `url` + `health` is 200 or Airflow says so of `part`."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    url: str = ""
    health: str = ""
    part: str = ""
    user: str = ""
    password: str = ""
    directory: Path = field(default=ROOT)


def all_processes(settings: Settings, endpoints: Endpoints, state: Path) -> list[Process]:
    """Every service, in the order of the loop; Prometheus and Alertmanager where this machine has them."""
    loop = [
        _ci(settings, endpoints, state),
        _mlflow(settings, endpoints, state),
        *_airflow(settings, endpoints, state),
        _prediction_api(settings, endpoints, state),
        _monitor(settings, endpoints, state),
    ]
    watching = prometheus_files.servers(settings, addresses(loop), state)
    return [*loop, *(_watching(server, state) for server in watching)]


def addresses(processes: list[Process]) -> dict[str, str]:
    """The address of every service that has one."""
    return {process.name: process.url for process in processes if process.url}


def _watching(server: prometheus_files.Server, state: Path) -> Process:
    environment = remembered_machine(state) | {"SANDBOX_STATE": str(state)} | server.environment
    return Process(server.name, server.argv, environment, server.url, server.health)


def executable(state: Path, service: str, name: str) -> str:
    """A command of a service's environment."""
    return str(state / "environments" / service / "bin" / name)


def _base(state: Path, service: str) -> dict[str, str]:
    inherited = remembered_machine(state)
    bin_folder = state / "environments" / service / "bin"
    return inherited | {
        "PATH": f"{bin_folder}:{inherited['PATH']}",
        "SANDBOX_STATE": str(state),
        "SANDBOX_DIGEST": environment_digest(service),  # other code is another process
    }


def ci_environment(settings: Settings, endpoints: Endpoints, state: Path) -> dict[str, str]:
    """What `ci serve` and the post-receive hooks need."""
    return {
        "CI_HOME": str(state / "ci"),
        "CI_HOST": "127.0.0.1",
        "CI_PORT": str(settings.ci_port),
        "CI_URL": endpoints.ci.inside,
        "CI_WEB_URL": endpoints.ci.outside,
        "CI_WEBHOOK_SECRET": settings.ci_webhook_secret,
        "CI_TOKEN": settings.ci_token,
        "CI_KEEP_BUILDS": str(settings.ci_keep_builds),
        "CI_KEEP_DAYS": str(settings.ci_keep_days),
        "KEEP_ENVIRONMENTS": str(settings.keep_environments),
        "CI_STAGE_TIMEOUT": str(settings.ci_stage_timeout),
        "GIT_ROOT": str(endpoints.git.folder),
        "ORGANISATION": ORGANISATION,
        "LOOP_ENV": str(state / "loop.env"),
    }


def _ci(settings: Settings, endpoints: Endpoints, state: Path) -> Process:
    return Process(
        name="ci",
        argv=[executable(state, "ci", "ci"), "serve"],
        environment=_base(state, "ci") | ci_environment(settings, endpoints, state),
        url=endpoints.ci.outside,
        health="/health",
    )


def _mlflow(settings: Settings, endpoints: Endpoints, state: Path) -> Process:
    port = settings.mlflow_port
    return Process(
        name="mlflow",
        argv=[
            executable(state, "mlflow", "mlflow"), "server",
            "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{state / 'mlflow' / 'mlflow.db'}",
            "--artifacts-destination", str(state / "mlflow" / "artifacts"), "--serve-artifacts",
            "--allowed-hosts", f"127.0.0.1:{port},localhost:{port}",
        ],
        environment=_base(state, "mlflow") | {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        url=endpoints.mlflow.outside,
        health="/health",
        directory=state / "mlflow",
    )  # fmt: skip


def airflow_database(state: Path) -> Path:
    """Airflow's SQLite file."""
    return state / "airflow" / "airflow.db"


def airflow_environment(settings: Settings, endpoints: Endpoints, state: Path) -> dict[str, str]:
    """The configuration that all three Airflow processes and `airflow db` share."""
    home = state / "airflow"
    bundle = {
        "name": "airflow_dags",
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {
            "repo_url": f"{endpoints.git.inside}/airflow_dags.git",
            "tracking_ref": DEPLOYED,
            "refresh_interval": 5,
        },
    }
    return (
        _base(state, "airflow")
        | endpoints.loop_env(settings)
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{endpoints.airflow.inside}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": settings.airflow_fernet_key,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,loop:op",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow_database(state)}?timeout=30",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(settings.airflow_port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": endpoints.airflow.outside,
            "AIRFLOW__API__SECRET_KEY": settings.airflow_session_secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": settings.airflow_jwt_secret,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            # Of its own for each ref: the provider never fetches a ref that an older clone of its lacks.
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles" / DEPLOYED),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
            "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
            # Half a second a task instead of one; at 5 a finished task at times holds its worker for 5 s.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            # What a killed scheduler or API server costs: services/airflow/README.md.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
            "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "60",
            "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "7200",  # above the longest task
        }
    )


def _airflow(settings: Settings, endpoints: Endpoints, state: Path) -> list[Process]:
    airflow = executable(state, "airflow", "airflow")
    environment = airflow_environment(settings, endpoints, state)
    return [
        Process(
            name="airflow-api",
            argv=[airflow, "api-server"],
            environment=environment,
            url=endpoints.airflow.outside,
            directory=state / "airflow",
            health="/execution/health",  # its first answer takes 3 s, which else the first task would wait
            user="admin",
            password=settings.airflow_admin_password,
        ),
        Process(
            name="airflow-scheduler",
            argv=[airflow, "scheduler", "--skip-serve-logs"],
            # Airflow takes the address from every task; the DAG `retention` gives it to `airflow db clean`.
            environment=environment
            | {"RETENTION_DATABASE": environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]},
            directory=state / "airflow",
            part="scheduler",
        ),
        Process(
            name="airflow-dag-processor",
            argv=[airflow, "dag-processor"],
            environment=environment,
            directory=state / "airflow",
            part="dag_processor",
        ),
    ]


def _prediction_api(settings: Settings, endpoints: Endpoints, state: Path) -> Process:
    return Process(
        name="prediction-api",
        argv=[executable(state, "prediction-api", "prediction-api")],
        environment=_base(state, "prediction-api") | {
            "API_HOST": "127.0.0.1",
            "API_PORT": str(settings.prediction_api_port),
            "API_WORKERS": str(settings.api_workers),
            "API_HOME": str(state / "prediction-api"),
            "API_POLL_SECONDS": str(settings.api_poll_seconds),
            "API_MAX_BYTES": str(settings.api_max_bytes),
            "API_MAX_ROWS": str(settings.api_max_rows),
            "API_KEEP_MODELS": str(settings.api_keep_models),
            "PREDICTION_LOG": settings.prediction_log,
            "PREDICTION_LOG_URL": f"sqlite:///{state / 'prediction-api' / 'predictions.db'}",
            "PREDICTION_LOG_DAYS": str(settings.prediction_log_days),
            "MASKED_COLUMNS": settings.masked_columns,
            "API_TOKENS": settings.api_tokens,
            "MLFLOW_TRACKING_URI": endpoints.mlflow.inside,
            "MODEL_NAME": settings.model_name,
            "MODEL_PIN": settings.model_pin,
        },
        url=endpoints.prediction_api.outside,
        health="/health",
    )  # fmt: skip


def _monitor(settings: Settings, endpoints: Endpoints, state: Path) -> Process:
    return Process(
        name="monitor",
        argv=[executable(state, "monitor", "monitor")],
        environment=_base(state, "monitor") | {
            "MONITOR_HOST": "127.0.0.1",
            "MONITOR_PORT": str(settings.monitor_port),
            "MONITOR_HOME": str(state / "monitor"),
            "MONITOR_POLL_SECONDS": str(settings.monitor_poll_seconds),
            "CELEBRATE_ACCURACY": str(settings.celebrate_accuracy),
            "AIRFLOW_URL": endpoints.airflow.inside,
            "AIRFLOW_USER": LOOP,
            "AIRFLOW_PASSWORD": settings.airflow_loop_password,
            "MLFLOW_TRACKING_URI": endpoints.mlflow.inside,
            "MODEL_NAME": settings.model_name,
            "STATUS_URL": endpoints.status.inside,
            "GIT_URL": endpoints.git.inside,
            "ORGANISATION": ORGANISATION,
            "REPOSITORIES": " ".join(REPOSITORIES),
            "ALERTMANAGER_URL": prometheus_files.alertmanager_url(settings),
        },
        url=endpoints.monitor.outside,
        health="/health",
    )  # fmt: skip
