"""The settings of .env as one frozen dataclass, and the machine's environment: the only reader of both."""

import base64
import os
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from dotenv import dotenv_values

from sandbox.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
ORGANISATION = "mlops"
# The order of the first pushes; the last one starts the first run.
CODE, DATA = "model_training", "data_preprocessing"
REPOSITORIES = (DATA, "airflow_dags", CODE)
DEPLOYED = "deployed"  # tag of airflow_dags that Airflow follows; CI moves it to each green commit of main
GENERATORS = {
    "__generate__": lambda: "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32)),
    "__generate_fernet__": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "__generate_ssh_key__": lambda: new_ssh_key(),
}
PASSED_ON = frozenset(
    "PATH HOME USER LANG LC_ALL TMPDIR HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy "
    "SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CERT NODE_EXTRA_CA_CERTS "
    "GIT_SSL_CAINFO".split(" ")
)


@dataclass(frozen=True)
class Settings:
    """One field per line of .env, in its order and lower case. Ports are TCP ports on 127.0.0.1."""

    driver: str
    prediction_api_port: int
    mlflow_port: int
    airflow_port: int
    ci_port: int
    monitor_port: int
    gitea_port: int
    minio_port: int
    minio_console_port: int
    registry_port: int
    mysql_port: int
    prometheus_port: int
    alertmanager_port: int
    grafana_port: int
    compose_project_name: str
    compose_override: str
    http_proxy: str
    https_proxy: str
    no_proxy: str
    ca_bundle: str
    task_memory: str
    task_cpus: float
    engine_disk_gb: int
    promotion: str
    loop_schedule: str
    drift_schedule: str
    keep_run_days: float
    raw_database_url: str
    model_name: str
    model_pin: str
    api_workers: int
    api_poll_seconds: float
    api_max_bytes: int
    api_max_rows: int
    api_keep_models: int
    prediction_log: str
    prediction_log_days: float
    masked_columns: str
    api_tokens: str
    ci_keep_builds: int
    ci_keep_days: int
    keep_environments: int
    ci_stage_timeout: int
    monitor_poll_seconds: float
    celebrate_accuracy: float
    log_megabytes: int
    log_files: int
    prometheus_days: int
    prometheus_gb: int
    slack_webhook_url: str
    smtp_smarthost: str
    smtp_from: str
    smtp_to: str
    smtp_user: str
    smtp_password: str
    airflow_admin_password: str
    airflow_loop_password: str
    ci_token: str
    ci_webhook_secret: str
    airflow_jwt_secret: str
    airflow_session_secret: str
    gitea_admin_password: str
    jenkins_admin_password: str
    jenkins_agent_key: str
    grafana_admin_password: str
    mlflow_admin_password: str
    mlflow_loop_password: str
    mlflow_serving_password: str
    minio_root_password: str
    s3_mlflow_secret: str
    s3_loop_secret: str
    mysql_admin_password: str
    mysql_mlflow_password: str
    mysql_airflow_password: str
    mysql_serving_password: str
    mysql_grafana_password: str
    mysql_exporter_password: str
    airflow_fernet_key: str
    gitea_secret_key: str
    grafana_secret_key: str

    def ports(self, names: Iterable[str]) -> dict[str, int]:
        """The `*_PORT` settings of these services' names, by their names in .env."""
        return {f"{name}_PORT": getattr(self, f"{name.lower()}_port") for name in names}

    @property
    def api_token(self) -> str:
        """The first of API_TOKENS: what the tool and the loop show; empty where nobody is asked."""
        return self.api_tokens.partition(",")[0].partition(":")[2].strip()

    def as_environment(self) -> dict[str, str]:
        """Every setting as text, by its name in .env."""
        return {f.name.upper(): str(getattr(self, f.name)) for f in fields(self)}


OPTIONAL = {
    *("driver", "loop_schedule", "raw_database_url", "model_name", "model_pin", "masked_columns"),
    *("compose_override", "api_tokens", "drift_schedule"),
    *("slack_webhook_url", "smtp_smarthost", "smtp_from", "smtp_to", "smtp_user", "smtp_password"),
    *("http_proxy", "https_proxy", "no_proxy", "ca_bundle"),
}
SECRETS = ("_password", "_secret", "_token", "_secret_key")
SECRET_FORM = r"[A-Za-z0-9_-]+"
# As in prediction_api/access.py, which reads it; here it is said before anything starts.
NAMED_TOKENS = r" *[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._~+/-]+=* *"
PIN = r"[1-9]\d{0,9}|[0-9a-f]{32}"
CHOICES = {"promotion": ("auto", "manual"), "prediction_log": ("on", "off")}


def create_env_file(root: Path = ROOT) -> list[str]:
    """Write to .env what .env.example has and .env lacks, secrets generated; return the written names."""
    example, target = (root / ".env.example").read_text(), root / ".env"
    text = target.read_text() if target.exists() else ""
    old = text.splitlines()
    known = dotenv_values(stream=StringIO(text), interpolate=False)
    wanted = [line for line in example.splitlines() if not known or _name(line) not in {"", *known}]
    new = [_with_secret(line) for line in [*old, *wanted]]
    written = [_name(line) for line in new if line not in old and _name(line)]
    if written:
        write_private(target, "".join(f"{line}\n" for line in new))
    return written


def _name(line: str) -> str:
    """The setting of a line, empty for a comment or a blank line."""
    return "" if line.startswith("#") else line.partition("=")[0]


def _with_secret(line: str) -> str:
    name, _, value = line.partition("=")
    return f"{name}={GENERATORS[value]()}" if _name(line) and value in GENERATORS else line


def new_ssh_key() -> str:
    """A new Ed25519 private key in OpenSSH's format, as one line of base64."""
    key = Ed25519PrivateKey.generate()
    form = (Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return base64.b64encode(key.private_bytes(*form)).decode()


def ssh_public_key(private: str) -> str:
    """The line for `authorized_keys`. Raises SettingsError for what new_ssh_key did not make."""
    try:
        key = load_ssh_private_key(base64.b64decode(private), password=None)
    except ValueError as error:
        raise SettingsError(
            f"JENKINS_AGENT_KEY in .env is no key: {error}", "Delete its line, then: make up"
        ) from error
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.chmod(0o600)
    draft.write_text(text)
    draft.replace(path)


def save_setting(name: str, value: str, root: Path = ROOT) -> None:
    """Write one value into .env; every other line stays as it is."""
    path = root / ".env"
    given = re.compile(rf"\s*(export\s+)?{name}\s*=")
    lines = path.read_text().splitlines()
    if not any(map(given.match, lines)):
        lines.append(f"{name}=")
    kept = [f"{name}={value}" if given.match(line) else line for line in lines]
    write_private(path, "\n".join(kept) + "\n")


def load_settings(root: Path = ROOT) -> Settings:
    """Read .env. Raises SettingsError that lists every value that cannot be used."""
    path = root / ".env"
    if not path.exists():
        raise SettingsError("There is no .env yet.", "Run: make up")
    values = dotenv_values(path, interpolate=False)
    problems: list[str] = []
    parsed = {f.name: _parse(f.name, f.type, values.get(f.name.upper()), problems) for f in fields(Settings)}
    problems += _half_told(values) + _bad_pin(values)
    if problems:
        raise SettingsError(
            "\n".join(["Some values in .env cannot be used:", *problems]), "Edit .env, then: make up"
        )
    return Settings(**parsed)  # type: ignore[arg-type]


def _half_told(values: dict[str, str | None]) -> list[str]:
    """Where messages are to go, but Alertmanager would refuse how that is said."""
    problems = []
    if values.get("SMTP_SMARTHOST") and not (values.get("SMTP_FROM") and values.get("SMTP_TO")):
        problems.append("  SMTP_SMARTHOST is set: e-mail needs SMTP_FROM and SMTP_TO too")
    slack = values.get("SLACK_WEBHOOK_URL") or "https://"
    if not slack.startswith(("https://", "http://")):
        problems.append("  SLACK_WEBHOOK_URL: write the whole address, https://…")
    return problems


def _bad_pin(values: dict[str, str | None]) -> list[str]:
    """What the prediction API would not start with, as its settings.py says."""
    pin = (values.get("MODEL_PIN") or "").strip()
    if pin and not re.fullmatch(PIN, pin):
        return [f"  MODEL_PIN={pin}: write a version such as 3, or a run id of 32 hex digits"]
    if pin.isdigit() and not values.get("MODEL_NAME"):
        return [f"  MODEL_PIN={pin} needs MODEL_NAME too: every model has a version of that number"]
    return []


def _parse(name: str, kind: object, value: str | None, problems: list[str]) -> object:
    key = name.upper()
    if value is None or (value == "" and name not in OPTIONAL):
        problems.append(f"  {key} is missing (see .env.example)")
    elif value in GENERATORS:
        problems.append(f"  {key} still holds the placeholder {value}; delete the line and run make up")
    elif name.endswith(SECRETS) and name not in OPTIONAL and not re.fullmatch(SECRET_FORM, value):
        problems.append(
            f"  {key}: a secret has letters, digits, - and _ alone, since it becomes part of addresses"
        )
    elif name == "api_tokens" and value and not _are_named_tokens(value):
        problems.append(
            f"  {key}: write name:token, several by comma, each once; a token has no spaces "
            "(make one with: openssl rand -hex 16)"
        )
    elif name in CHOICES and value not in CHOICES[name]:
        problems.append(f"  {key}={value}: choose one of {', '.join(CHOICES[name])}")
    elif kind in (int, float):
        return _positive(key, kind, value, problems)
    return value


def _are_named_tokens(value: str) -> bool:
    entries = [entry.strip().partition(":") for entry in value.split(",")]
    distinct = {len({entry[part] for entry in entries}) for part in (0, 2)}
    return bool(re.fullmatch(rf"{NAMED_TOKENS}(,{NAMED_TOKENS})*", value)) and distinct == {len(entries)}


def _positive(key: str, kind: object, value: str, problems: list[str]) -> object:
    largest = 65535 if key.endswith("_PORT") else float("inf")
    try:
        number = int(value) if kind is int else float(value)
    except ValueError:
        problems.append(f"  {key}={value}: not a number")
        return None
    if not 0 < number <= largest:
        problems.append(
            f"  {key}={value}: must be above 0" + (f" and at most {largest}" if largest < 1e9 else "")
        )
    return number


def machine_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every process of ours inherits: paths, language, proxy and CA variables, nothing else."""
    environment = os.environ if environment is None else environment
    kept = {name: environment[name] for name in PASSED_ON if name in environment}
    kept.update({name: value for name, value in environment.items() if name.startswith("UV_")})
    for name in ("NO_PROXY", "no_proxy"):  # a proxy has no business between services of one machine
        kept[name] = ",".join(filter(None, ["127.0.0.1,localhost", kept.get(name, "")]))
    kept["PATH"] = f"{ROOT / '.tools' / 'bin'}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept


def docker_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the `docker` command gets of this machine: how to find itself, its login and its engine."""
    environment = os.environ if environment is None else environment
    known = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK")
    return {name: value for name, value in environment.items() if name in known or name.startswith("DOCKER_")}
