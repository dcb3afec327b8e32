"""What no log, status or result shows; the first cases are those of the CI service's own test."""

import base64
import json

import pytest

from loop.masking import masked, secrets

DATABASE = "postgresql+psycopg://iris:sl/a%23sh:word@db.localhost/raw"
GIT = "https://builder:git%40pass@git.localhost/mlops"


def basic(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(key, raising=False)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("STATUS_TOKEN", "abcdef", {"abcdef"}),
        ("STATUS_TOKEN", "abcde", set()),  # too short to be told from a word
        ("GIT_URL", GIT, {"builder:git%40pass@", "git%40pass", "git@pass", basic("builder:git@pass")}),
        ("GIT_URL", "https://a-token@git.localhost/mlops", {"a-token@", basic("a-token:")}),
        ("HTTPS_PROXY", "http://me:p@ssed@proxy:3128", {"me:p@ssed@", "p@ssed", basic("me:p@ssed")}),
        ("http_proxy", "http://me:p@ss@proxy:3128", {"me:p@ss@", basic("me:p@ss")}),
        (
            "RAW_DATABASE_URL",
            DATABASE,
            {"iris:sl/a%23sh:word@", "sl/a%23sh:word", "sl/a#sh:word", basic("iris:sl/a#sh:word")},
        ),
        (
            "RAW_DATABASE_URL",
            "mysql://u:pa/ss-word@db",
            {"u:pa/ss-word@", "pa/ss-word", basic("u:pa/ss-word")},
        ),
        ("RAW_DATABASE_URL", "", set()),
        ("API_URL", "http://127.0.0.1:8801", set()),
        ("DATA_URL", "file:///data/me@home", set()),
        ("DATA_URL", "http://data.localhost:9000/me@home", set()),
        ("AIRFLOW__CORE__FERNET_KEY_SECRET", "not handed to tasks", set()),
    ],
)
def test_secrets_are_found_by_name_and_in_addresses(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, wanted: set[str]
) -> None:
    before = secrets()
    monkeypatch.setenv(key, value)
    assert secrets() - before == wanted


def test_a_login_of_two_settings_is_masked_as_a_header_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "loop")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "mlflow-secret")
    monkeypatch.setenv("AIRFLOW_USER", "loop")
    monkeypatch.setenv("AIRFLOW_PASSWORD", "of-airflow")
    monkeypatch.setenv("STATUS_USER", "loop")
    monkeypatch.setenv("STATUS_TOKEN", "of-gitea")
    secrets_said = ("mlflow-secret", "of-airflow", "of-gitea")
    said = ", ".join(f"Basic {basic(f'loop:{secret}')} {secret}" for secret in secrets_said)
    assert masked(said) == ", ".join(["Basic **** ****"] * 3)


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_secret_is_masked_as_json_writes_it(monkeypatch: pytest.MonkeyPatch, ascii_only: bool) -> None:
    monkeypatch.setenv("AIRFLOW_PASSWORD", 'a"b\\c\u00fcd')
    line = json.dumps({"detail": 'it is a"b\\c\u00fcd'}, ensure_ascii=ascii_only)
    assert masked(line) == '{"detail": "it is ****"}'


def test_the_longest_secret_is_masked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATUS_TOKEN", "git@pass")
    monkeypatch.setenv("GIT_URL", GIT)
    assert masked(f"{GIT} git@pass") == "https://****git.localhost/mlops ****"
