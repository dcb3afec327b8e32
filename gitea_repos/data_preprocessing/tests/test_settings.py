import pytest

from data_preprocessing.errors import Rejected
from data_preprocessing.settings import Settings

GIVEN = {
    "GIT_URL": "file:///git/mlops/",
    "DATA_COMMIT": "a" * 40,
    "DVC_REMOTE_URL": "file:///dvc",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
}


def test_every_missing_and_malformed_variable_is_named_at_once():
    with pytest.raises(
        Rejected,
        match=r"GIT_URL is not set, DVC_REMOTE_URL is not set, MLFLOW.*DATA_COMMIT is not 40 hex digits",
    ):
        Settings.from_env({"DATA_COMMIT": "main"})


def test_an_empty_data_version_asks_for_a_new_one():
    assert Settings.from_env({**GIVEN, "DATA_VERSION": ""}).data_version is None


def test_a_data_version_is_twelve_hex_digits():
    with pytest.raises(Rejected, match="DATA_VERSION"):
        Settings.from_env({**GIVEN, "DATA_VERSION": "DV_0123456789ab"})


def test_the_repository_is_this_project_below_the_git_url():
    assert Settings.from_env(GIVEN).repository == "file:///git/mlops/data_preprocessing.git"
