"""Requests unlike training: judged, reported, and answered with one loop in a window."""

import requests
from helpers import states


def told(found):
    scores = {name: round(column["psi"], 3) for name, column in found["judgement"]["columns"].items()}
    print(
        f"{found['traffic']['said']}: score {found['judgement']['score']:.3f}, PSI {scores}; {found['start']}"
    )
    return found["judgement"]


def report(sandbox, judgement):
    """The page as MLflow hands it out."""
    query = {"run_uuid": judgement["mlflow_run_id"], "path": "drift.html"}
    login = sandbox.login("mlflow")
    return requests.get(f"{sandbox.url('mlflow')}/get-artifact", params=query, auth=login, timeout=30)


def test_shifted_requests_start_one_loop_and_unshifted_ones_none(sandbox):
    first = sandbox.json("drift")
    judgement = told(first)
    assert judgement["drifted"]
    assert judgement["score"] == max(column["psi"] for column in judgement["columns"].values()) > 0.2
    assert first["started"]
    assert set(states(first["loop"]).values()) == {"passed", "skipped"}
    run_id = first["loop"]["run_id"]
    assert run_id.startswith("drift-")
    traced = sandbox.json("trace", run_id)
    assert traced["state"] == "passed"
    assert traced["stages"][0]["detail"].startswith("started by drift")
    print(f"loop {run_id}: {first['loop']['seconds']:.0f} s")
    page = report(sandbox, judgement)
    assert page.status_code == 200
    assert "<svg" in page.text
    assert judgement["detail"] in page.text

    # The loop has served another version, of which nobody has asked anything unusual.
    steady = sandbox.json("drift", "--shift", "0")
    assert steady["judgement"]["version"] != judgement["version"]
    assert not told(steady)["drifted"]
    assert not steady["started"]

    again = sandbox.json("drift")
    assert told(again)["drifted"]
    assert (again["started"], again["loop"]) == (False, None)
    assert run_id in again["start"]
