""".env is made from .env.example, is private, and bad values are all named at once."""

import dataclasses
import stat

import pytest

from sandbox.errors import SettingsError
from sandbox.settings import (
    Settings,
    create_env_file,
    load_settings,
    machine_environment,
    save_setting,
)


def test_example_lists_exactly_the_settings(folder):
    names = set(create_env_file(folder))
    assert names == {field.name.upper() for field in dataclasses.fields(Settings)}


def test_env_file_is_private_and_its_secrets_are_random(folder, tmp_path_factory, root):
    create_env_file(folder)
    other = tmp_path_factory.mktemp("other")
    (other / ".env.example").write_text((root / ".env.example").read_text())
    create_env_file(other)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    mine, theirs = load_settings(folder), load_settings(other)
    for name in ("airflow_admin_password", "airflow_loop_password", "ci_token", "ci_webhook_secret"):
        assert len(getattr(mine, name)) == 32
        assert getattr(mine, name).isalnum()
        assert getattr(mine, name) != getattr(theirs, name)


def test_a_second_call_changes_nothing(folder):
    create_env_file(folder)
    before = (folder / ".env").read_text()
    assert create_env_file(folder) == []
    assert (folder / ".env").read_text() == before


def test_a_setting_of_a_newer_version_is_added_and_nothing_else_touched(folder):
    create_env_file(folder)
    lines = (folder / ".env").read_text().splitlines()
    old = [line for line in lines if not line.startswith("CI_TOKEN=")]
    (folder / ".env").write_text("\n".join(old) + "\n")
    assert create_env_file(folder) == ["CI_TOKEN"]
    assert (folder / ".env").read_text().splitlines()[: len(old)] == old


def test_saving_keeps_every_other_line_and_the_mode(folder):
    create_env_file(folder)
    before = (folder / ".env").read_text()
    save_setting("MLFLOW_PORT", "9999", folder)
    assert (folder / ".env").read_text() == before.replace("MLFLOW_PORT=8802", "MLFLOW_PORT=9999")
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600


def test_every_bad_value_is_named_at_once(folder):
    create_env_file(folder)
    save_setting("MLFLOW_PORT", "many", folder)
    save_setting("AIRFLOW_PORT", "70000", folder)
    save_setting("PROMOTION", "perhaps", folder)
    save_setting("CI_TOKEN", "__generate__", folder)
    save_setting("CI_WEBHOOK_SECRET", "", folder)
    with pytest.raises(SettingsError) as caught:
        load_settings(folder)
    for name in (
        "MLFLOW_PORT=many",
        "AIRFLOW_PORT=70000",
        "PROMOTION=perhaps",
        "CI_TOKEN",
        "CI_WEBHOOK_SECRET",
    ):
        assert name in str(caught.value)


def test_without_env_file_the_next_step_is_named(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    assert "make up" in caught.value.hint


def test_processes_inherit_only_paths_language_proxy_and_certificates():
    inherited = machine_environment(
        {
            "PATH": "/bin",
            "HTTPS_PROXY": "p",
            "UV_CACHE_DIR": "c",
            "AWS_SECRET_ACCESS_KEY": "no",
            "PYTHONPATH": "no",
        }
    )
    assert inherited.pop("PATH").endswith(":/bin")
    assert inherited.pop("NO_PROXY") == inherited.pop("no_proxy") == "127.0.0.1,localhost"
    assert inherited == {"HTTPS_PROXY": "p", "UV_CACHE_DIR": "c"}


def test_a_last_line_without_its_end_is_not_glued_to_a_new_setting(folder):
    create_env_file(folder)
    key = load_settings(folder).airflow_fernet_key
    lines = [line for line in (folder / ".env").read_text().splitlines() if not line.startswith("CI_PORT=")]
    (folder / ".env").write_text("\n".join(lines))
    assert create_env_file(folder) == ["CI_PORT"]
    assert load_settings(folder).airflow_fernet_key == key


def test_a_copied_example_gets_its_secrets_and_becomes_private(folder):
    (folder / ".env").write_text((folder / ".env.example").read_text())
    assert "CI_TOKEN" in create_env_file(folder)
    assert load_settings(folder).ci_token.isalnum()
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600


@pytest.mark.parametrize("form", ["export MLFLOW_PORT=1", "MLFLOW_PORT = 1", ""])
def test_a_saved_value_is_read_back_in_whatever_form_it_was_written(folder, form):
    create_env_file(folder)
    text = (folder / ".env").read_text().replace("MLFLOW_PORT=8802", form)
    (folder / ".env").write_text(text)
    save_setting("MLFLOW_PORT", "9999", folder)
    assert load_settings(folder).mlflow_port == 9999


@pytest.mark.parametrize(
    ("tokens", "first"),
    [("", ""), ("ada:first", "first"), ("ada:first, bob:second==", "first")],
)
def test_the_first_token_is_the_loops(folder, tokens, first):
    create_env_file(folder)
    save_setting("API_TOKENS", tokens, folder)
    assert load_settings(folder).api_token == first


@pytest.mark.parametrize(
    "tokens", ["ada:", "hidden", ":hidden", "ada:hid den", "ada:hidden,", "a:hidden,a:b", "a:b,c:b"]
)
def test_wrong_tokens_are_an_error_that_shows_none(folder, tokens):
    create_env_file(folder)
    save_setting("API_TOKENS", tokens, folder)
    with pytest.raises(SettingsError, match="API_TOKENS: write name:token") as wrong:
        load_settings(folder)
    assert "hid" not in str(wrong.value)


@pytest.mark.parametrize(
    ("pin", "model", "said"),
    [("1", "", "needs MODEL_NAME"), ("v1", "iris", "write a version"), ("1", "iris", ""), ("a" * 32, "", "")],
)
def test_a_pin_the_api_would_not_start_with_is_told_before_it_does(folder, pin, model, said):
    create_env_file(folder)
    save_setting("MODEL_PIN", pin, folder)
    save_setting("MODEL_NAME", model, folder)
    if not said:
        assert load_settings(folder).model_pin == pin
        return
    with pytest.raises(SettingsError, match=said):
        load_settings(folder)
