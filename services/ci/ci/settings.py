"""The environment of the server, its hook and the images; command_settings.py has the rest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ci.errors import SettingsError

Environment = Mapping[str, str]

LOOP = "loop"  # the user whose password is CI_TOKEN

MACHINE = ("PATH", "HOME", "LANG", "TMPDIR")
# where the engine is, and the base image of what is built there
ENGINE = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "PYTHON_IMAGE")
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
STAYS = {
    *(set(MACHINE) - {"LANG"}),
    *ENGINE,
    *(set(NETWORK) - set(PROXIES)),
    *("_", "HOSTNAME", "LOGNAME", "MAIL", "OLDPWD", "PWD", "SHELL", "SHLVL", "TERM", "USER", "VIRTUAL_ENV"),
    *("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKE_TERMERR", "MAKE_TERMOUT", "JAVA_HOME", "CLASSPATH"),
}
STAYS_PREFIXES = ("BUILDKIT_", "BUILDX_", "DOCKER_", "LD_", "PIP_", "PYTHON", "SSH_", "UV_", "XDG_")


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


def switch(env: Environment, key: str) -> bool:
    """Whether `key` is true; missing is false. Raises SettingsError."""
    value = env.get(key) or "false"
    if value not in ("true", "false"):
        raise SettingsError(f"{key} is {value!r}; it must be true or false.")
    return value == "true"


def admin_name(env: Environment) -> str:
    """The user in CI_ADMIN_USER, empty for none. Raises SettingsError where it is the loop's."""
    name = env.get("CI_ADMIN_USER", "")
    if name == LOOP:
        raise SettingsError(
            f"CI_ADMIN_USER is {LOOP!r}, who logs in with CI_TOKEN and may not create; use another."
        )
    return name


def stays_here(key: str) -> bool:
    """Whether a variable names something that no container has: a path, a login of the machine, a program."""
    return key in STAYS or key.startswith(STAYS_PREFIXES)


def machine_environment(env: Environment) -> dict[str, str]:
    """What a build gets from the machine: where programs are, and how to reach the network."""
    names = {*MACHINE, *ENGINE, *NETWORK, *(name.lower() for name in PROXIES)}
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
    webhook_secret: str = field(repr=False)
    token: str = field(repr=False)
    git_root: Path
    organisation: str
    loop_env: Path
    keep_builds: int
    keep_days: int
    keep_environments: int
    stage_timeout: int
    machine: Mapping[str, str] = field(repr=False)
    git_http: bool = False
    admin_user: str = ""
    admin_password: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, env: Environment | None = None) -> ServerSettings:
        """Settings from the environment. Raises SettingsError naming the first wrong one."""
        env = os.environ if env is None else env
        admin_user = admin_name(env)
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
            keep_days=positive(env, "CI_KEEP_DAYS"),
            keep_environments=positive(env, "KEEP_ENVIRONMENTS"),
            stage_timeout=positive(env, "CI_STAGE_TIMEOUT"),
            machine=machine_environment(env),
            git_http=switch(env, "CI_GIT_HTTP"),
            admin_user=admin_user,
            admin_password=required(env, "CI_ADMIN_PASSWORD") if admin_user else "",
        )

    @property
    def own_url(self) -> str:
        """Where a process on this machine reaches the server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

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
    webhook_secret: str = field(repr=False)
    organisation: str
    git_http: bool = False

    @classmethod
    def from_file(cls, path: Path) -> HookSettings:
        """Settings from a dotenv file. Raises SettingsError."""
        env = read_env_file(path)
        return cls(
            url=address(env, "CI_URL"),
            web_url=address(env, "CI_WEB_URL"),
            webhook_secret=required(env, "CI_WEBHOOK_SECRET"),
            organisation=required(env, "ORGANISATION"),
            git_http=switch(env, "CI_GIT_HTTP"),
        )


@dataclass(frozen=True)
class ImageSettings:
    """Settings of `ci image` and `ci run`; `memory` and `cpus` in Docker's notation, empty for no limit."""

    store: str
    repository: str
    memory: str
    cpus: str
    process: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_env(cls, env: Environment | None = None) -> ImageSettings:
        """Settings from a build's environment. Raises SettingsError."""
        env = os.environ if env is None else env
        return cls(
            store=address(env, "IMAGE_STORE"),
            repository=repository_name(env),
            memory=env.get("TASK_MEMORY", ""),
            cpus=env.get("TASK_CPUS", ""),
            process=dict(env),
        )

    @property
    def machine(self) -> dict[str, str]:
        """What the docker client gets."""
        return machine_environment(self.process)

    @property
    def handed_on(self) -> dict[str, str]:
        """What a command in a container gets: all but what is true of this machine alone."""
        return {key: value for key, value in self.process.items() if not stays_here(key)}


def repository_name(env: Environment) -> str:
    """The repository that is built: JOB_NAME, or outside CI the name of the folder."""
    return env.get("JOB_NAME") or Path.cwd().name
