"""The whole task on a real store of MLflow."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import skops.io
import yaml
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from builders import IRIS, write_folder
from model_training import __main__ as task
from model_training.champion import judge_champion
from model_training.errors import TrainingError, UnavailableError
from model_training.pipelines import fit_pipeline
from model_training.settings import Settings
from model_training.tracking import Experiment, log_pipeline
from model_training.training import train
from model_training.trust import check_types, load_pipeline


@pytest.fixture
def client(settings, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.mlflow_tracking_uri)
    return MlflowClient()


@pytest.fixture
def retrain(settings, params, iris_folder, client):  # noqa: ARG001 -- it points MLflow at the store
    """Train iris as the loop run of the given id, with what else is to differ."""

    def run(loop_run_id="manual-1", folder=iris_folder, **changes):
        return train(replace(settings, loop_run_id=loop_run_id), replace(params, **changes), lambda: folder)

    return run


@pytest.fixture
def champion(client, iris, params):
    """A registered champion: its version and the folder of its files."""
    pipeline = fit_pipeline(params, iris.schema, iris.train)
    tags = {"schema": iris.schema.fingerprint}
    with Experiment("iris", "push-model_training-000000000000").run(tags) as run:
        model = log_pipeline(pipeline, iris, check_types(pipeline), tags)
    client.create_registered_model("iris")
    version = client.create_model_version("iris", f"models:/{model}", run_id=run.info.run_id, model_id=model)
    client.set_registered_model_alias("iris", "champion", version.version)
    return version, Path(client.get_logged_model(model).artifact_location.removeprefix("file://"))


def artifact(client, result, name):
    path = client.download_artifacts(result["mlflow_run_id"], name)
    return json.loads(Path(path).read_text())


@pytest.mark.usefixtures("frozen_params")
def test_the_task_reads_data_by_its_tag_and_reports_what_it_stored(environment, set_environment, client):
    set_environment(environment)
    result = task.work()
    assert result["state"] == "passed"
    assert result["champion"] is None
    assert result["metrics"]["accuracy"] > 0.9
    assert {"macro_f1", "log_loss", "train_accuracy"} < set(result["metrics"])
    assert set(result["per_class"]) == {"setosa", "versicolor", "virginica"}
    assert set(result["libraries"]) == {"python", "scikit-learn", "skops", "numpy"}
    run = client.get_run(result["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert Settings.from_env(environment).tags.items() <= run.data.tags.items()
    assert run.data.params["classifier.max_iter"] == "1000"
    assert run.data.metrics == pytest.approx(result["metrics"])
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"verification.json", "per_class.json", "confusion_matrix.png", "learning_curve.png"} < names


def test_the_trials_of_a_search_are_runs_below_the_training_and_stand_for_no_loop(client, retrain):
    space = {"classifier": {"solver": ["lbfgs", "nonsense"]}, "trials": 3}
    result = retrain(search=space)
    training = client.get_run(result["mlflow_run_id"])
    found = client.search_runs(
        [training.info.experiment_id], f"tags.mlflow.parentRunId = '{training.info.run_id}'"
    )
    states = {run.info.status for run in found}
    best = max(run.data.metrics.get("macro_f1", 0) for run in found)
    assert (len(found), states) == (3, {"FINISHED", "FAILED"})
    assert training.data.metrics["search_macro_f1"] == pytest.approx(best)
    assert training.data.params["classifier.solver"] == "lbfgs"
    assert not any("loop_run_id" in run.data.tags for run in found)
    assert retrain(search=space) == result


def test_the_model_is_stored_as_skops_with_named_and_typed_columns(client, retrain):
    result = retrain()
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{result['model_id']}"))
    described = yaml.safe_load((folder / "MLmodel").read_text())
    assert described["flavors"]["sklearn"]["serialization_format"] == "skops"
    columns = json.loads(described["signature"]["inputs"])
    assert [(column["name"], column["type"]) for column in columns] == [
        (c, "double") for c in IRIS["columns"]
    ]
    assert json.loads(described["signature"]["outputs"])[0]["type"] == "string"
    assert not list(folder.rglob("*.pkl"))
    assert "scikit-learn==" in (folder / "requirements.txt").read_text()
    tags = client.get_logged_model(result["model_id"]).tags
    assert tags["schema"] == client.get_run(result["mlflow_run_id"]).data.tags["schema"]
    proof = artifact(client, result, "verification.json")
    rows = [list(instance.values()) for instance in proof["instances"]]
    loaded = load_pipeline(folder / "model.skops")
    assert loaded.predict(pd.DataFrame(rows, columns=IRIS["columns"])).tolist() == proof["predictions"]


def test_a_second_try_of_a_finished_loop_trains_nothing(client, retrain):
    first = retrain()
    assert retrain(folder=Path("not read")) == first
    assert len(client.search_runs(["0", client.get_experiment_by_name("iris").experiment_id])) == 1


def test_a_half_done_run_of_the_same_loop_is_killed_and_another_loop_left_alone(client, retrain):
    number = client.create_experiment("iris")
    half, foreign = (
        client.create_run(number, tags={"loop_run_id": loop}).info.run_id for loop in ("manual-1", "manual-2")
    )
    trial = client.create_run(number, tags={MLFLOW_PARENT_RUN_ID: half}).info.run_id
    assert retrain()["mlflow_run_id"] not in (half, foreign)
    states = [client.get_run(run).info.status for run in (half, trial, foreign)]
    assert states == ["KILLED", "KILLED", "RUNNING"]


def test_a_failed_training_leaves_a_failed_run(client, retrain):
    with pytest.raises(TrainingError, match="'C' parameter"):
        retrain(classifier={"C": -1})
    runs = client.search_runs([client.get_experiment_by_name("iris").experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]


def test_the_champion_is_judged_on_the_same_rows(champion, retrain):
    result = retrain()
    figures = {name: value for name, value in result["metrics"].items() if not name.startswith("train_")}
    assert result["champion"]["version"] == str(champion[0].version)
    assert result["champion"]["same_schema"] is True
    assert result["champion"]["metrics"] == figures
    assert result["champion"]["per_class"] == result["per_class"]


def test_a_champion_of_another_schema_is_not_judged(champion, client, iris):
    schema = replace(iris.schema, target="class")
    report = judge_champion(client, "iris", replace(iris, schema=schema))
    assert (report["same_schema"], report["metrics"]) == (False, None)
    assert f"v{champion[0].version} was trained for another schema" in report["detail"]


def test_a_champion_of_untrusted_types_is_named_and_not_loaded(champion, client, iris):
    foreign = Pipeline([("classifier", KNeighborsClassifier(algorithm="kd_tree"))])
    skops.io.dump(foreign.fit(iris.train.rows, iris.train.labels), champion[1] / "model.skops")
    report = judge_champion(client, "iris", iris)
    assert (report["same_schema"], report["metrics"]) == (True, None)
    assert "Untrusted types found" in report["detail"]


def test_a_champion_without_files_is_named(champion, client, iris):
    shutil.rmtree(champion[1])
    report = judge_champion(client, "iris", iris)
    assert report["metrics"] is None
    assert "cannot be judged: its files are gone" in report["detail"]


def test_data_of_another_model_is_refused(retrain, iris, tmp_path):
    frame = iris.train.rows.assign(species=iris.train.labels)
    folder = write_folder(tmp_path / "heart", frame, frame, {**IRIS, "name": "heart"})
    with pytest.raises(
        TrainingError, match="trains the model 'iris', but the data is 'heart'; set model: heart"
    ):
        retrain(folder=folder)


def test_a_deleted_experiment_is_named_with_the_way_back(client, retrain):
    client.delete_experiment(client.create_experiment("iris"))
    with pytest.raises(TrainingError, match="experiment iris is deleted; run: mlflow experiments restore"):
        retrain()


def test_mlflow_out_of_reach_may_be_tried_again(settings, params, monkeypatch):
    away = "http://127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", away)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UnavailableError, match=f"MLflow at {away} did not do its part"):
        train(replace(settings, mlflow_tracking_uri=away), params, lambda: Path("not read"))
