import pytest

from model_training.errors import TrainingError
from model_training.settings import Settings


def test_every_missing_variable_is_named_at_once():
    with pytest.raises(TrainingError, match=r"GIT_URL.*DATA_VERSION.*LOOP_RUN_ID.*IMAGE"):
        Settings.from_env({})


def test_a_data_version_with_its_tag_prefix_is_refused(environment):
    with pytest.raises(TrainingError, match=r"DATA_VERSION \(form"):
        Settings.from_env({**environment, "DATA_VERSION": "DV_0123456789ab"})


def test_a_run_id_cannot_break_out_of_a_query(environment):
    with pytest.raises(TrainingError, match="LOOP_RUN_ID"):
        Settings.from_env({**environment, "LOOP_RUN_ID": "x' or '1"})


def test_tags_say_where_a_model_comes_from(settings):
    assert settings.tags["code_commit"] == settings.tags["mlflow.source.git.commit"] == "c" * 40
    assert {"data_commit", "dag_commit", "data_version", "image", "loop_run_id", "build"} < set(settings.tags)
