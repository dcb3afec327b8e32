"""The environment of the commands that talk to Gitea, Jenkins and Airflow: loop.env and what CI adds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ci.settings import Environment, address, positive, repository_name, required


@dataclass(frozen=True)
class GiteaSettings:
    """Where Gitea's API is, whose repositories count, and who asks."""

    url: str
    organisation: str
    user: str
    token: str = field(repr=False)

    @classmethod
    def from_env(cls, env: Environment) -> GiteaSettings:
        """Settings from loop.env. Raises SettingsError."""
        return cls(
            url=address(env, "STATUS_URL"),
            organisation=required(env, "ORGANISATION"),
            user=required(env, "STATUS_USER"),
            token=required(env, "STATUS_TOKEN"),
        )


@dataclass(frozen=True)
class AirflowSettings:
    """Where Airflow is, who asks, and how many seconds to wait until it takes something."""

    url: str
    web_url: str
    user: str
    password: str = field(repr=False)
    timeout: int

    @classmethod
    def from_env(cls, env: Environment | None = None) -> AirflowSettings:
        """Settings from loop.env. Raises SettingsError."""
        env = os.environ if env is None else env
        return cls(
            url=address(env, "AIRFLOW_URL"),
            web_url=address(env, "AIRFLOW_WEB_URL"),
            user=required(env, "AIRFLOW_USER"),
            password=required(env, "AIRFLOW_PASSWORD"),
            timeout=positive({"CI_DELIVER_TIMEOUT": "600", **env}, "CI_DELIVER_TIMEOUT"),
        )

    def run_url(self, dag: str, run: str) -> str:
        """The page of a run, for people."""
        return f"{self.web_url}/dags/{dag}/runs/{run}"


def repository_url(env: Environment, name: str) -> str:
    """Where a repository is cloned from: below GIT_URL, or there, as Jenkins' Git plugin sets it.

    Raises SettingsError.
    """
    url = address(env, "GIT_URL")
    return url if url.endswith(f"/{name}.git") else f"{url}/{name}.git"


@dataclass(frozen=True)
class DeliverSettings:
    """Settings of `ci deliver`."""

    repository: str
    repository_url: str = field(repr=False)  # may hold a login
    build_url: str
    gitea: GiteaSettings
    airflow: AirflowSettings

    @classmethod
    def from_env(cls, env: Environment | None = None) -> DeliverSettings:
        """Settings from a build's environment. Raises SettingsError."""
        env = os.environ if env is None else env
        name = repository_name(env)
        return cls(
            repository=name,
            repository_url=repository_url(env, name),
            build_url=env.get("BUILD_URL", ""),
            gitea=GiteaSettings.from_env(env),
            airflow=AirflowSettings.from_env(env),
        )


@dataclass(frozen=True)
class CatchUpSettings:
    """Settings of `ci catch-up`."""

    repositories: tuple[str, ...]
    hook_url: str
    webhook_secret: str = field(repr=False)
    gitea: GiteaSettings

    @classmethod
    def from_env(cls, env: Environment | None = None) -> CatchUpSettings:
        """Settings from loop.env and the job's own. Raises SettingsError."""
        env = os.environ if env is None else env
        return cls(
            repositories=tuple(required(env, "REPOSITORIES").split()),
            hook_url=address(env, "CI_HOOK_URL"),
            webhook_secret=required(env, "CI_WEBHOOK_SECRET"),
            gitea=GiteaSettings.from_env(env),
        )
