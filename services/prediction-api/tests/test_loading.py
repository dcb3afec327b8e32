"""A model serves only after it has proved itself; every other one has its reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import models
import pytest
import skops.io
import yaml
from sklearn.preprocessing import StandardScaler

from prediction_api.errors import Refusal
from prediction_api.identity import Identity, printable
from prediction_api.loading import load
from prediction_api.signature import read_signature

Save = Callable[[models.Trained], Path]
ONE = models.identity("1")


@pytest.fixture
def folder(save: Save, tmp_path: Path) -> Path:
    """A sound model of this test's own, to be spoilt."""
    return Path(shutil.copytree(save(models.logistic()), tmp_path / "model"))


def change(folder: Path, **changes: object) -> None:
    path = folder / "MLmodel"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


@pytest.mark.parametrize("trained", [models.logistic, models.forest, models.mixed, models.text])
def test_a_model_of_reviewed_types_loads(save: Save, trained: Callable[[], models.Trained]) -> None:
    assert load(save(trained()), ONE).identity == ONE


def test_a_type_off_the_list_is_refused_by_name_whatever_the_model_trusts(save: Save) -> None:
    folder = save(models.spline())
    assert "BSpline" in (folder / "MLmodel").read_text()
    with pytest.raises(Refusal, match=r"scipy\.interpolate\._bsplines\.BSpline"):
        load(folder, ONE)


def test_a_model_without_signature_is_refused(save: Save) -> None:
    with pytest.raises(Refusal, match="no signature"):
        load(save(models.logistic(signed=False, example=False)), ONE)


def test_a_model_without_example_proves_itself_on_a_neutral_row(save: Save) -> None:
    model = load(save(models.logistic(example=False)), ONE)
    assert model.shortcut is None
    assert not model.takes_arrays


def test_a_damaged_model_file_is_refused(folder: Path) -> None:
    path = folder / "model.skops"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Refusal, match="skops cannot load it"):
        load(folder, ONE)


def test_a_model_that_predicts_nothing_is_refused(folder: Path) -> None:
    skops.io.dump(StandardScaler(), folder / "model.skops")
    with pytest.raises(Refusal, match="StandardScaler, which predicts nothing"):
        load(folder, ONE)


def test_a_model_that_does_not_fit_its_signature_is_refused(folder: Path) -> None:
    change(folder, signature={"inputs": json.dumps([{"name": "sepal_length", "type": "double"}])})
    with pytest.raises(Refusal, match="cannot predict its input example"):
        load(folder, ONE)


def test_a_pickle_is_refused(folder: Path) -> None:
    flavor = {"serialization_format": "cloudpickle", "pickled_model": "model.pkl"}
    change(folder, flavors={"sklearn": flavor})
    with pytest.raises(Refusal, match="stored as cloudpickle"):
        load(folder, ONE)


@pytest.mark.parametrize("path", ["../model.skops", "/etc/passwd"])
def test_a_path_that_leads_out_of_the_model_is_refused(folder: Path, path: str) -> None:
    change(folder, flavors={"sklearn": {"serialization_format": "skops", "pickled_model": path}})
    with pytest.raises(Refusal, match="outside the model"):
        load(folder, ONE)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "flavors: 1", "\x00"])
def test_an_unreadable_description_is_refused(folder: Path, text: str) -> None:
    (folder / "MLmodel").write_text(text)
    with pytest.raises(Refusal):
        load(folder, ONE)


@pytest.mark.parametrize(
    "specs",
    [
        "",
        "{",
        "[]",
        "1",
        '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]',
        '[{"name": "a", "type": "datetime"}]',
        '[{"name": "a", "type": ["x"]}]',
        '[{"name": "a", "type": "long"}, {"name": "a", "type": "long"}]',
    ],
)
def test_a_signature_the_api_cannot_serve_is_refused(specs: str) -> None:
    with pytest.raises(Refusal):
        read_signature({"inputs": specs})


def test_labels_of_an_identity_cannot_break_a_header() -> None:
    identity = Identity("ï\r\nX: 1", "1", "", "", 0, "a\nb", "\ud800" * 300)
    assert all(label.isascii() and label.isprintable() and len(label) <= 200 for label in identity.labels)
    assert printable("plain name-1.2") == "plain name-1.2"
