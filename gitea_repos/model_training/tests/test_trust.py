import pytest
import skops.io
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from model_training.errors import TrainingError
from model_training.trust import TRUSTED_TYPES, check_types, load_pipeline


def nearest(iris) -> Pipeline:
    """A pipeline whose search tree is not among the reviewed types."""
    return Pipeline([("classifier", KNeighborsClassifier(algorithm="kd_tree"))]).fit(
        *vars(iris.train).values()
    )


def test_a_type_outside_the_list_is_refused_by_name(iris):
    with pytest.raises(TrainingError, match=r"sklearn.neighbors._kd_tree"):
        check_types(nearest(iris))


def test_a_file_with_a_type_outside_the_list_is_not_loaded(iris, tmp_path):
    skops.io.dump(nearest(iris), tmp_path / "model.skops")
    with pytest.raises(TypeError, match="Untrusted types"):
        load_pipeline(tmp_path / "model.skops")


def test_every_type_of_the_list_is_one_that_skops_doubts():
    assert list(TRUSTED_TYPES) == sorted(set(TRUSTED_TYPES))
    assert all(name.startswith(("numpy.", "sklearn.")) for name in TRUSTED_TYPES)
