import sys

import pytest

from model_training import local


@pytest.mark.usefixtures("frozen_params")
def test_local_training_prints_the_figures_of_train_and_test(iris_folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["local", str(iris_folder)])
    assert local.main() == 0
    output = capsys.readouterr().out
    assert "iris: logistic_regression, 120 training rows, 30 test rows" in output
    assert {"accuracy", "macro_f1", "log_loss", "virginica"} <= set(output.split())


@pytest.mark.usefixtures("frozen_params")
def test_a_folder_without_data_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["local", str(tmp_path)])
    assert local.main() == 1
    assert capsys.readouterr().err.startswith("schema.json is not readable")
