from pathlib import Path

import pytest

from model_training.errors import TrainingError
from model_training.params import Params
from model_training.pipelines import build_pipeline, find_recipe
from model_training.schema import Schema
from model_training.settings import PARAMS_FILE

GOOD = {"model": "iris", "pipeline": "logistic_regression", "seed": "1"}


def write(folder: Path, **changes: str | None) -> Path:
    values = {**GOOD, **changes}
    path = folder / "params.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in values.items() if value is not None))
    return path


def test_the_projects_own_file_is_valid():
    """The only test that reads it: every other has its own, so an edit of params.yaml breaks none."""
    try:
        params = Params.read(PARAMS_FILE)
        columns = {kind: kind for kind in find_recipe(params).kinds}
        build_pipeline(params, Schema(params.model, "label", columns))
    except TrainingError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pipelin": "x"}, "unknown key 'pipelin'; known: model, pipeline, seed"),
        ({"seed": None}, "lacks the key 'seed'"),
        ({"seed": "-1"}, "seed is -1; it must be a whole number from 0"),
        ({"seed": "true"}, "seed is True"),
        ({"model": "Iris 2"}, "model is 'Iris 2'; it must be a name of lower-case"),
        ({"classifier": "[1]"}, "classifier is .*; it must be a mapping"),
        ({"model": "[unclosed"}, "no readable YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_key_and_allowed_values(tmp_path, changes, reason):
    with pytest.raises(TrainingError, match=reason):
        Params.read(write(tmp_path, **changes))


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(TrainingError, match="must be a mapping with the keys model"):
        Params.read(tmp_path / "params.yaml")


def test_a_list_becomes_the_tuple_that_scikit_learn_wants(tmp_path):
    params = Params.read(write(tmp_path, text="{ngram_range: [1, 2]}"))
    assert params.text == {"ngram_range": (1, 2)}
    assert params.flat()["text.ngram_range"] == (1, 2)
