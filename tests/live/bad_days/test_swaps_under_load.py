"""Rollbacks and promotions while requests come without a pause: none fails, none mixes two versions.

Four swaps by default; SWAPS=20 for more.
"""

import os
import threading
import time
from datetime import datetime

import pytest
import requests

from sandbox.wait import pause, wait_until

SWAPS = int(os.environ.get("SWAPS", "4"))
CLIENTS, RATE = 5, 50  # threads, requests a second of all of them
# A corner without flowers: the first model says versicolor there, the second is taught setosa.
PROBE = [7.9, 2.0, 1.0, 0.2]
TAUGHT = "".join(
    f"{7.5 + n / 50:.2f},{2 + n % 4 / 10:.1f},{1 + n % 5 / 10:.1f},0.2,setosa\n" for n in range(40)
)


class Load:
    """Clients that predict at a steady rate, each on a connection of its own, and note every answer."""

    def __init__(self, url: str, answers: dict[str, str]) -> None:
        self.url = url
        self.answers = answers  # version → what it says of the probe
        self.times: list[tuple[float, str]] = []  # seconds since the epoch, version
        self.wrong: list[str] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._client) for _ in range(CLIENTS)]

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.seconds = time.monotonic() - self.began

    def _client(self):
        session, due = requests.Session(), time.monotonic()
        while not self.over.is_set():
            self._ask(session)
            due = max(due + CLIENTS / RATE, time.monotonic() - 1)
            pause(max(0.0, due - time.monotonic()))

    def _ask(self, session):
        try:
            answer = session.post(self.url, json={"instances": [PROBE]}, timeout=10)
        except requests.RequestException as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
            return
        version = answer.headers.get("X-Model-Version", "")
        self.times.append((time.time(), version))
        if answer.status_code != 200 or answer.json()["predictions"] != [self.answers.get(version)]:
            self.wrong.append(f"{answer.status_code} of version {version}: {answer.text}")

    def last_of(self, version: str, since: float) -> float:
        """When a version answered last, where it answered since then; else that moment."""
        return max((at for at, seen in self.times if seen == version and at > since), default=since)


@pytest.fixture
def two_models(sandbox, tmp_path):
    """Two versions that disagree about the probe, the second served; at the end all is as it was."""
    first, raw = sandbox.json("status")["model"], sandbox.get_raw("iris.csv")
    url = f"{sandbox.url('prediction-api')}/predict"

    def said():
        answer = requests.post(url, json={"instances": [PROBE]}, timeout=10)
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
    rows = []
    with Load(f"{api}/predict", two_models) as load:
        wait_until(lambda: load.times, what="the first answer", seconds=30)
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
            served = load.last_of(old, moved)
            stages = {stage["name"]: stage["seconds"] for stage in receipt["stages"]}
            rows.append((moved - began, served - moved, time.time() - began, stages))
    print(f"\n{len(load.times)} requests in {load.seconds:.0f} s, {len(load.wrong)} wrong; seconds:")
    print("command → alias, alias → last old answer, whole command, stages")
    for to_alias, to_served, whole, stages in rows:
        print(f"{to_alias:6.1f} {to_served:6.2f} {whole:6.1f} {stages}")
    assert load.wrong == []
