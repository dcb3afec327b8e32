"""What a log never shows, and what a build gets to reach the network."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from workshop import Repository, finished, log_of, pipeline

from ci.app import Ci
from ci.masks import secrets_of
from ci.settings import NETWORK, ServerSettings, machine_environment

DATABASE = "postgresql+psycopg://iris:sl/a%23sh:word@db.localhost/raw"
GIT = "https://builder:git%40pass@git.localhost/mlops"


def basic(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


@pytest.mark.parametrize(
    ("key", "value", "secrets"),
    [
        ("STATUS_TOKEN", "abcdefgh", {"abcdefgh"}),
        ("GIT_URL", GIT, {"builder:git%40pass@", "git%40pass", "git@pass", basic("builder:git@pass")}),
        ("GIT_URL", "https://a-token@git.localhost/mlops", {"a-token@", basic("a-token:")}),
        ("HTTPS_PROXY", "http://me:p@ss@proxy:3128", {"me:p@ss@", "p@ss", basic("me:p@ss")}),
        (
            "RAW_DATABASE_URL",
            DATABASE,
            {"iris:sl/a%23sh:word@", "sl/a%23sh:word", "sl/a#sh:word", basic("iris:sl/a#sh:word")},
        ),
        ("RAW_DATABASE_URL", "", set()),
        ("API_URL", "http://127.0.0.1:8801", set()),
        ("DATA_URL", "file:///data/me@home", set()),
        ("DATA_URL", "http://data.localhost:9000/me@home", set()),
    ],
)
def test_secrets_are_found_by_name_and_in_urls(key: str, value: str, secrets: set[str]) -> None:
    assert set(secrets_of({key: value})) == secrets


def test_logins_that_are_settings_are_known_as_http_basic_has_them() -> None:
    env = {"STATUS_USER": "loop", "STATUS_TOKEN": "abcdefgh", "AIRFLOW_USER": "ada"}
    env |= {
        "AIRFLOW_PASSWORD": "airflow-1",
        "MLFLOW_TRACKING_USERNAME": "me",
        "MLFLOW_TRACKING_PASSWORD": "m-1",
    }
    forms = {basic("loop:abcdefgh"), basic("ada:airflow-1"), basic("me:m-1")}
    assert set(secrets_of(env)) == forms | {"abcdefgh", "airflow-1", "m-1"}


def test_no_login_of_a_url_reaches_a_log(
    start_queue: Callable[..., Ci], repository: Repository, settings: ServerSettings
) -> None:
    with settings.loop_env.open("a") as file:
        file.write(f"GIT_URL={GIT}\nRAW_DATABASE_URL={DATABASE}\n")
    ci = start_queue()
    header = 'echo "Basic $(printf %s builder:git@pass | base64)"'
    show = f'{header}; echo "$GIT_URL $RAW_DATABASE_URL git@pass"; false'
    sha = repository.push_files({"Jenkinsfile": pipeline(f"a: {show}")})
    ci.queue.submit(repository.name, "refs/heads/main", sha)
    build, log = finished(ci, repository.name), log_of(ci, repository.name)
    for text in (log, build.detail):
        assert "https://****git.localhost/mlops postgresql+psycopg://****db.localhost/raw ****" in text
        assert not any(secret in text for secret in ("git%40pass", "git@pass", "sl/a%23sh:word"))
    assert "Basic ****" in log
    assert basic("builder:git@pass") not in log


def test_a_build_gets_every_network_variable_of_the_machine(tmp_path: Path) -> None:
    given = dict.fromkeys([*NETWORK, "https_proxy"], str(tmp_path))
    assert {"SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"} < set(given)
    assert machine_environment({**given, "ssl_cert_dir": "no name of anything"}) == given
