"""Rollbacks and promotions while requests come without a pause: none fails, none mixes two versions.

Four swaps by default; SWAPS=100 for more, and for what they leave in memory.
"""

import os
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from helpers import bearer, predict

from sandbox.clients.prediction_api import PredictionApi
from sandbox.load import Load
from sandbox.wait import wait_until

SWAPS = int(os.environ.get("SWAPS", "4"))
RATE = 50  # requests a second
LEFT_MIB = 10  # that swaps may leave behind
STEPS = 4  # besides: a worker takes once for itself what it shared with its parent
# A corner without flowers: the first model says versicolor there, the second is taught setosa.
PROBE = [7.9, 2.0, 1.0, 0.2]
TAUGHT = "".join(
    f"{7.5 + n / 50:.2f},{2 + n % 4 / 10:.1f},{1 + n % 5 / 10:.1f},0.2,setosa\n" for n in range(40)
)


@pytest.fixture
def two_models(sandbox, tmp_path):
    """Two versions that disagree about the probe, the second served; at the end all is as it was."""
    first, raw = sandbox.json("status")["model"], sandbox.get_raw("iris.csv")

    def said():
        answer = predict(sandbox, [PROBE])
        return answer.headers["X-Model-Version"], answer.json()["predictions"][0]

    answers = dict([said()])
    (tmp_path / "taught.csv").write_text(raw + TAUGHT)
    receipt = sandbox.json("data", "push", str(tmp_path / "taught.csv"))
    try:
        assert receipt["state"] == "passed", receipt
        answers |= dict([said()])
        assert len(set(answers.values())) == 2, answers
        yield answers
    finally:
        sandbox.put_raw("iris.csv", raw)
        sandbox.json("promote", first["version"])


def test_swaps_under_load_fail_no_request_and_mix_no_answer(sandbox, mlflow, two_models):
    first, second = two_models
    api = sandbox.url("prediction-api")
    memory = [memory_of_workers(sandbox, api)]
    rows, epoch = [], time.time()
    token = bearer(sandbox).get("Authorization", "").removeprefix("Bearer ")
    with Load(lambda: PredictionApi(api, token), [PROBE], RATE) as load:
        wait_until(lambda: load.answered, what="the first answer", seconds=30)
        for number in range(SWAPS):
            old, new = (second, first) if number % 2 == 0 else (first, second)
            began = time.time()
            receipt = sandbox.json(*(["rollback"] if number % 2 == 0 else ["promote", new]))
            assert receipt["state"] == "passed", receipt
            workers = requests.get(f"{api}/model", timeout=10).json()["workers"]
            assert {worker["version"] for worker in workers} == {new}, workers
            tags = mlflow("registered-models/get", name="iris")["registered_model"]["tags"]
            moved = next(tag["value"] for tag in tags if tag["key"] == "promoted_at")
            moved = datetime.fromisoformat(moved).timestamp()
            served = epoch + last_of(load, old, moved - epoch)
            stages = {stage["name"]: stage["seconds"] for stage in receipt["stages"]}
            rows.append((moved - began, served - moved, time.time() - began, stages))
            memory.append(memory_of_workers(sandbox, api))
    failed = [each for each in load.answered if each.status != 200]
    wrong = [each for each in load.answered if each.predictions != (two_models.get(each.version),)]
    print(
        f"\n{SWAPS} swaps, {len(load.answered)} requests in {load.seconds:.0f} s: {len(failed)} failed, "
        f"{len(wrong) - len(failed)} of a mixed version"
    )
    print(f"MiB of all workers, before and after each swap: {memory}")
    print("command → alias, alias → last old answer, whole command, stages")
    for to_alias, to_served, whole, stages in rows:
        print(f"{to_alias:6.1f} {to_served:6.2f} {whole:6.1f} {stages}")
    assert wrong == []
    if SWAPS >= 20 and None not in memory:
        grown = sorted(after - before for before, after in pairwise(memory))
        assert sum(grown[:-STEPS]) < LEFT_MIB, memory


def memory_of_workers(sandbox, api):
    """MiB of anonymous memory (PSS) of the API's workers; None where they are processes of a container.

    Mapped files are left out: their shares change when other programs end.
    """
    if sandbox.setting("DRIVER") != "embedded":
        return None
    workers = requests.get(f"{api}/model", timeout=10).json()["workers"]
    rolled = [Path(f"/proc/{worker['pid']}/smaps_rollup").read_text() for worker in workers]
    return round(sum(int(text.split("Pss_Anon:")[1].split()[0]) for text in rolled) / 1024, 1)


def last_of(load: Load, version: str, since: float) -> float:
    """When a version answered last, where it answered since then; else that moment. Seconds of the load."""
    times = [each.due + each.seconds for each in load.answered if each.version == version]
    return max((at for at in times if at > since), default=since)
