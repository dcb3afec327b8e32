"""The only module that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci.errors import SettingsError

Environment = Mapping[str, str]

MACHINE = ("PATH", "HOME", "LANG", "TMPDIR")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
NETWORK = (
    *PROXIES,
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
)


def required(env: Environment, key: str) -> str:
    """The value of `key`. Raises SettingsError naming it where it is missing or empty."""
    value = env.get(key, "")
    if not value:
        raise SettingsError(f"{key} is not set; it must be in the environment.")
    return value


def positive(env: Environment, key: str) -> int:
    """The whole number above zero in `key`. Raises SettingsError."""
    value = required(env, key)
    if not value.isdecimal() or int(value) == 0:
        raise SettingsError(f"{key} is {value!r}; it must be a whole number above zero.")
    return int(value)


def address(env: Environment, key: str) -> str:
    """The URL in `key`, without a slash at its end. Raises SettingsError."""
    return required(env, key).rstrip("/")


def machine_environment(env: Environment) -> dict[str, str]:
    """What a build gets from the machine: where programs are, and how to reach the network."""
    names = {*MACHINE, *NETWORK, *(name.lower() for name in PROXIES)}
    return {key: value for key, value in env.items() if key in names or key.startswith("UV_")}


def read_env_file(path: Path) -> dict[str, str]:
    """Keys and values of a dotenv file. Raises SettingsError where it cannot be read."""
    from dotenv import dotenv_values  # imported late: the hook of a push has to be quick

    try:
        with path.open(encoding="utf-8") as stream:
            values = dotenv_values(stream=stream, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Cannot read the settings file {path}: {error}.") from error
    return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class ServerSettings:
    """Settings of `ci serve`; times in seconds."""

    home: Path
    host: str
    port: int
    web_url: str
    webhook_secret: str
    token: str
    git_root: Path
    organisation: str
    loop_env: Path
    keep_builds: int
    stage_timeout: int
    machine: Mapping[str, str]

    @classmethod
    def from_env(cls, env: Environment | None = None) -> ServerSettings:
        """Settings from the environment. Raises SettingsError naming the first wrong one."""
        env = os.environ if env is None else env
        return cls(
            home=Path(required(env, "CI_HOME")).absolute(),
            host=env.get("CI_HOST") or "127.0.0.1",
            port=positive(env, "CI_PORT"),
            web_url=address(env, "CI_WEB_URL"),
            webhook_secret=required(env, "CI_WEBHOOK_SECRET"),
            token=required(env, "CI_TOKEN"),
            git_root=Path(required(env, "GIT_ROOT")).absolute(),
            organisation=required(env, "ORGANISATION"),
            loop_env=Path(required(env, "LOOP_ENV")).absolute(),
            keep_builds=positive(env, "CI_KEEP_BUILDS"),
            stage_timeout=positive(env, "CI_STAGE_TIMEOUT"),
            machine=machine_environment(env),
        )

    @property
    def database(self) -> Path:
        return self.home / "ci.db"

    def log(self, repository: str, number: int) -> Path:
        """Where the log of a build lies."""
        return self.home / "logs" / repository / f"{number}.log"

    def workspace(self, repository: str) -> Path:
        """Where a repository is built."""
        return self.home / "workspaces" / repository

    def build_url(self, repository: str, number: int) -> str:
        """The page of a build, for people."""
        return f"{self.web_url}/job/{repository}/{number}/"


@dataclass(frozen=True)
class HookSettings:
    """Settings of `ci hook`."""

    url: str
    web_url: str
    webhook_secret: str
    organisation: str

    @classmethod
    def from_file(cls, path: Path) -> HookSettings:
        """Settings from a dotenv file. Raises SettingsError."""
        env = read_env_file(path)
        return cls(
            url=address(env, "CI_URL"),
            web_url=address(env, "CI_WEB_URL"),
            webhook_secret=required(env, "CI_WEBHOOK_SECRET"),
            organisation=required(env, "ORGANISATION"),
        )


@dataclass(frozen=True)
class ImageSettings:
    """Settings of `ci image` and `ci run`."""

    store: str
    repository: str

    @classmethod
    def from_env(cls, env: Environment | None = None) -> ImageSettings:
        """Settings from a build's environment. Raises SettingsError."""
        env = os.environ if env is None else env
        return cls(store=address(env, "IMAGE_STORE"), repository=repository_name(env))


@dataclass(frozen=True)
class DeliverSettings:
    """Settings of `ci deliver`; times in seconds."""

    organisation: str
    repository: str
    git_url: str
    status_url: str
    status_token: str
    airflow_url: str
    airflow_web_url: str
    airflow_user: str
    airflow_password: str
    build_url: str
    timeout: int

    @classmethod
    def from_env(cls, env: Environment | None = None) -> DeliverSettings:
        """Settings from a build's environment. Raises SettingsError."""
        env = os.environ if env is None else env
        return cls(
            organisation=required(env, "ORGANISATION"),
            repository=repository_name(env),
            git_url=address(env, "GIT_URL"),
            status_url=address(env, "STATUS_URL"),
            status_token=required(env, "STATUS_TOKEN"),
            airflow_url=address(env, "AIRFLOW_URL"),
            airflow_web_url=address(env, "AIRFLOW_WEB_URL"),
            airflow_user=required(env, "AIRFLOW_USER"),
            airflow_password=required(env, "AIRFLOW_PASSWORD"),
            build_url=env.get("BUILD_URL", ""),
            timeout=positive({"CI_DELIVER_TIMEOUT": "600", **env}, "CI_DELIVER_TIMEOUT"),
        )


def repository_name(env: Environment) -> str:
    """The repository that is built: JOB_NAME, or outside CI the name of the folder."""
    return env.get("JOB_NAME") or Path.cwd().name
