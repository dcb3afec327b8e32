"""`sandbox scenario`: other data and another model through a push, and the rows they are asked with.

Two loops; iris was brought by the first push of all. In the end the repositories and the model are as before.
"""

import json
import subprocess

import pytest
import requests
from conftest import Clone
from helpers import STAGES, bearer, detail, states

REPOSITORIES = ("data_preprocessing", "model_training")
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
PATIENT = json.loads(
    '{"age": 63, "sex": 1, "cp": 3, "trestbps": 145, "chol": 233, "fbs": 1, "restecg": 0, "thalach": 150, '
    '"exang": 0, "oldpeak": 2.3, "slope": 0, "ca": 0, "thal": 1}'
)
FINDINGS = {0: {"cp": 1, "thal": 0, "oldpeak": 0}, 1: {"exang": 1, "ca": 3, "slope": 1, "thal": 2}}
SENTENCES = {
    "The food was delicious and the people were so friendly.": "positive",
    "Rude staff, a dirty room and terrible food, never again!": "negative",
    "C'était très mauvais: awful coffee, and the café's staff were rude.": "negative",
}


@pytest.fixture(scope="module")
def before(sandbox, tmp_path_factory):
    """The model that is served before; it and both params.yaml are there again at the end, without a loop."""
    model, folder = sandbox.json("status")["model"], tmp_path_factory.mktemp("scenarios")
    clones = [Clone(sandbox, name, folder / name) for name in REPOSITORIES]
    starts = [clone.git("rev-parse", "HEAD") for clone in clones]
    yield model
    for clone, start in zip(clones, starts, strict=True):
        clone.git("pull", "--quiet")
        clone.git("checkout", "--quiet", start, "--", "params.yaml")
        clone.push("As before\n\nStarts-Run: no")
    sandbox.json("promote", f"{model['name']}/{model['version']}")


def ask(sandbox, record):
    """The answer to a bare record."""
    answer = requests.post(
        f"{sandbox.url('prediction-api')}/predict", json=record, headers=bearer(sandbox), timeout=10
    )
    assert answer.status_code == 200, answer.text
    return answer


def brought(sandbox, statuses, name):
    """The scenario by one command: one loop, both commits green, served and verified."""
    told = sandbox.json("scenario", name)
    assert told["state"] == "passed", told
    assert [stage["name"] for stage in told["stages"]] == STAGES
    assert set(states(told).values()) == {"passed"}
    assert list(told["pushed"]) == list(REPOSITORIES)
    data, code = [statuses(repository, commit) for repository, commit in told["pushed"].items()]
    assert data["ci"]["status"] == code["ci"]["status"] == "success"
    assert "no champion yet" in detail(told, "gate")  # of this model, while another one is served
    model = sandbox.json("status")["model"]
    assert (model["name"], model["git_sha"]) == (name, told["pushed"]["model_training"])
    print(f"\n{told['seconds']} s; {detail(told, 'data')} {detail(told, 'train')}")
    return told


def test_iris_answers_a_bare_record(sandbox, before):
    answer = ask(sandbox, FLOWER)
    assert answer.json() == {"predictions": ["setosa"]}
    assert answer.headers["X-Model-Name"] == before["name"] == "iris"


def test_heart_comes_by_one_command_and_answers_whole_numbers(sandbox, statuses, before, airflow):  # noqa: ARG001
    runs = airflow("GET", "/dags/train_and_serve/dagRuns")["total_entries"]
    told = brought(sandbox, statuses, "heart")
    assert airflow("GET", "/dags/train_and_serve/dagRuns")["total_entries"] == runs + 1
    answer = ask(sandbox, PATIENT)
    assert answer.json() == told["example"]["answer"]
    assert answer.json()["predictions"] in ([0], [1])
    assert answer.headers["X-Model-Name"] == "heart"
    for label, findings in FINDINGS.items():
        assert ask(sandbox, PATIENT | findings).json() == {"predictions": [label]}


def test_a_scenario_that_is_served_is_left_alone_and_its_curl_line_works(sandbox, before):  # noqa: ARG001
    model = sandbox.json("status")["model"]
    shown = sandbox.run("scenario", model["name"])
    assert shown.returncode == 0, shown.stderr
    assert f"nothing to do: {model['name']} version {model['version']} is served" in shown.stderr
    assert sandbox.json("status")["model"] == model
    line = next(line for line in shown.stdout.splitlines() if line.startswith("curl "))
    shell = ["sh", "-c", line]
    done = subprocess.run(shell, cwd=sandbox.folder, capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout) == json.loads(shown.stdout.splitlines()[-1])


def test_sentiment_comes_by_one_command_and_reads_sentences(sandbox, statuses, before):  # noqa: ARG001
    brought(sandbox, statuses, "sentiment")
    for text, label in SENTENCES.items():
        answer = ask(sandbox, {"text": text})
        assert answer.json() == {"predictions": [label]}, text
        assert answer.headers["X-Model-Name"] == "sentiment"
