"""What is served, as MLflow tells it."""

import pytest

from monitor.runs import FIRST_LOOK

COMMIT, DATA = "856cbb3a8d3b479f36989463555d5e257c6fa0ca", "f003c3a58748"


@pytest.fixture
def data_commit(repository, world):
    """A data repository that has the commit which the served version names."""
    commit = repository("data_preprocessing").commit("data")
    tags = world.version["model_version"]["tags"]
    next(tag for tag in tags if tag["key"] == "data_commit")["value"] = commit
    return commit


@pytest.mark.usefixtures("data_commit")
def test_the_served_version(monitor):
    monitor.look()
    assert monitor.metrics()["loop_served_info"] == {(COMMIT, DATA, "iris", "2"): 1.0}
    assert monitor.value("loop_served_metric", "accuracy", "iris", "2") == 1.0
    first = monitor.store.known(FIRST_LOOK)  # the commit's own date lies before the sandbox was
    assert monitor.value("loop_served_data_timestamp_seconds", "iris") == first > 1767225600
    created = monitor.value("loop_served_created_timestamp_seconds", "iris")
    assert 0 < created < monitor.value("loop_served_promoted_timestamp_seconds", "iris")
    page = monitor.client.get("/").get_data(as_text=True)
    assert "iris version 2" in page


def test_without_git_the_rest_is_known(monitor):
    monitor.look()
    assert monitor.value("loop_served_data_timestamp_seconds", "iris") is None
    assert monitor.metrics()["loop_served_info"]


@pytest.mark.usefixtures("data_commit")
def test_an_unchanged_champion_is_one_request(monitor, world):
    monitor.look()
    world.asked.clear()
    monitor.look()
    asked = [path for path in world.asked if "/mlflow/" in path]
    assert asked == [
        "GET /api/2.0/mlflow/registered-models/search",
        "GET /api/2.0/mlflow/experiments/get-by-name",
    ]


def test_the_model_promoted_last_is_the_one(monitor, world):
    iris = world.models["registered_models"][0]
    tags = [{"key": "promoted_at", "value": "2030-01-01T00:00:00.000000+00:00"}]
    aliases = [{"alias": "champion", "version": "7"}]
    world.models["registered_models"].append(iris | {"name": "heart", "tags": tags, "aliases": aliases})
    monitor.look()
    assert [labels[2:] for labels in monitor.metrics()["loop_served_info"]] == [("heart", "7")]
    monitor = monitor.again(model_name="iris")
    monitor.look()
    assert [labels[2:] for labels in monitor.metrics()["loop_served_info"]] == [("iris", "2")]
    world.models["registered_models"].clear()
    monitor.look()
    assert "loop_served_info" not in monitor.metrics()


def test_the_newest_judgement_of_drift(monitor, world):
    monitor.look()
    assert "loop_drift_score" not in monitor.metrics()
    figures = {"score": 0.4, "rows": 300, "psi.sepal_length": 0.4, "ks.sepal_length": 0.2, "psi.a\nb": 1}
    run = {
        "info": {"start_time": 1000, "end_time": 5000},
        "data": {
            "tags": [{"key": "model", "value": "iris"}, {"key": "version", "value": "2"}],
            "metrics": [{"key": key, "value": value} for key, value in figures.items()],
        },
    }
    world.drift = [run]
    monitor.look()
    named = ("iris", "2")
    assert monitor.metrics()["loop_drift_score"] == {
        ("sepal_length", "iris", "psi", "2"): 0.4,
        ("sepal_length", "iris", "ks", "2"): 0.2,
    }
    assert monitor.value("loop_drift_rows", *named) == 300
    assert monitor.value("loop_drift_timestamp_seconds", *named) == 5


@pytest.mark.usefixtures("data_commit")
def test_a_data_commit_of_its_own_time(monitor):
    monitor.since_the_beginning()
    monitor.look()
    assert monitor.value("loop_served_data_timestamp_seconds", "iris") == 1767225600
