"""Faults on purpose: the right alert, one message of it in the inbox, and another one when it is over.

Runs where Prometheus, Alertmanager and the monitor run. Seconds are counted from the fault to its message,
and from its end to the message that says so.
"""

import json
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests
from helpers import FLOWERS, bearer, predict

from sandbox.wait import pause, stopwatch, wait_until

NEEDED = {"prometheus", "alertmanager", "monitor"}
FIRES_WITHIN, RESOLVED_WITHIN = 180, 240  # seconds: a scrape, the window, `for`, and Alertmanager's waits
SLOW_BODY = 1.2  # seconds: above the critical limit of one
MISFITS = [{"sepal_length": "long"}]


class Traffic:
    """The same request again and again from a few clients, while the block runs."""

    def __init__(self, send: Callable[[], None], clients: int) -> None:
        self.send = send
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self) -> None:
        while not self.over.is_set():
            self.send()

    def __enter__(self) -> None:
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture(scope="module")
def inbox(sandbox):
    """A function that tells the messages of an alert about the prediction API, oldest first."""
    missing = NEEDED - {service["name"] for service in sandbox.json("status")["services"]}
    if missing:
        pytest.skip(f"there is no {', '.join(sorted(missing))} here: nobody judges rules or takes messages")
    url = sandbox.url("monitor")

    def messages(name):
        answer = requests.get(f"{url}/messages", params={"name": name}, timeout=10)
        answer.raise_for_status()
        found = answer.json()["messages"]
        assert all(message["name"] == name for message in found), found
        return [each for each in reversed(found) if each["labels"]["service"] == "prediction-api"]

    return messages


def wait_for(inbox, alert, status, before, seconds):
    """Seconds until the inbox has one more message of that status than `before`; the message."""
    passed = stopwatch()

    def look():
        return [each for each in inbox(alert) if each["status"] == status][before:]

    found = wait_until(look, what=f"{alert} {status}", seconds=seconds)
    return passed(), found[0]


def count(inbox, alert, status):
    return sum(each["status"] == status for each in inbox(alert))


def told(inbox, alert, severity, before):
    """Wait for the one firing message, and check all it says; the seconds that it took."""
    seconds, message = wait_for(inbox, alert, "firing", before, FIRES_WITHIN)
    assert message["severity"] == severity, message
    assert message["runbook"] == f"docs/runbook.md#{alert.lower()}"
    assert all(message[key] for key in ("summary", "impact", "command")), message
    return seconds


def misfit(sandbox):
    url, header = f"{sandbox.url('prediction-api')}/predict", bearer(sandbox)

    def send():
        assert requests.post(url, json={"instances": MISFITS}, headers=header, timeout=10).status_code == 422
        pause(0.2)

    return send


def slow(sandbox):
    """A prediction whose body takes longer than the limit: the worker waits for it as for any slow part."""
    address = urlsplit(sandbox.url("prediction-api"))
    body = json.dumps({"instances": FLOWERS}).encode()
    lines = ["POST /predict HTTP/1.1", "Host: sandbox", "Content-Type: application/json", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in bearer(sandbox).items()]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()

    def send():
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(head + body[:5])
            pause(SLOW_BODY)
            connection.sendall(body[5:])
            assert b" 200 " in connection.recv(1024).splitlines()[0]

    return send


def test_a_stopped_api_is_told_once_and_taken_back(sandbox, inbox):
    fired, resolved = count(inbox, "ServiceDown", "firing"), count(inbox, "ServiceDown", "resolved")
    sandbox.control("stop", "prediction-api")
    try:
        seconds = told(inbox, "ServiceDown", "critical", fired)
    finally:
        sandbox.control("start", "prediction-api")
    back, _ = wait_for(inbox, "ServiceDown", "resolved", resolved, RESOLVED_WITHIN)
    print(f"\nAPI stopped: ServiceDown after {seconds:.0f} s, resolved {back:.0f} s after its start")
    assert count(inbox, "ServiceDown", "firing") == fired + 1


def test_bad_input_and_slow_answers_are_told_once_each_and_taken_back(sandbox, inbox):
    faults = (
        ("PredictionsRefused", "warning", misfit(sandbox), 1),
        ("PredictionsSlow", "critical", slow(sandbox), 4),
    )
    predict(sandbox, FLOWERS)
    before = {alert: (count(inbox, alert, "firing"), count(inbox, alert, "resolved")) for alert, *_ in faults}
    ended = {}
    for alert, severity, send, clients in faults:
        with Traffic(send, clients):
            seconds = told(inbox, alert, severity, before[alert][0])
        ended[alert] = stopwatch()
        print(f"\n{alert}: told after {seconds:.0f} s")
    for alert, since_end in ended.items():
        wait_for(inbox, alert, "resolved", before[alert][1], RESOLVED_WITHIN)
        print(f"{alert}: resolved at most {since_end():.0f} s after the fault's end")
    for alert, (fired, _) in before.items():
        assert count(inbox, alert, "firing") == fired + 1, inbox(alert)
    assert not inbox("PredictionErrors")
    assert not inbox("PredictionLogDrops")
