"""Predictions at a steady rate, and how long they took.

A latency counts from the moment the request was due: a server that stalls must not look well because it was
asked less meanwhile (Gil Tene's coordinated omission).
"""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.clients.prediction_api import PredictionApi
from sandbox.http import ApiError

MOST_CLIENTS = 64
RATE_OF_A_CLIENT = 20.0  # requests a second; below this a new client costs more than it brings


@dataclass(frozen=True)
class Answered:
    """One request: when it was due in seconds since the start, seconds until its answer, and that answer.

    `status` is 0 where none came, `why` the reason of a status that is not 200.
    """

    due: float
    seconds: float
    status: int
    version: str = ""
    predictions: tuple[Any, ...] = ()
    why: str = ""

    @property
    def at(self) -> float:
        """When it was answered, in seconds since the start."""
        return self.due + self.seconds


class Load:
    """Clients that each ask on a connection of its own, all together `rate` times a second, until the end.

    `rows` are instances of the served model; each request carries `size` of them.
    """

    def __init__(
        self, connect: Callable[[], PredictionApi], rows: Sequence[Any], rate: float, size: int = 1
    ) -> None:
        self.answered: list[Answered] = []
        self.seconds = 0.0
        self._connect, self._rows, self._size = connect, rows, size
        self._over = threading.Event()
        clients = min(MOST_CLIENTS, math.ceil(rate / RATE_OF_A_CLIENT) + 1)
        self._every = clients / rate
        self._threads = [
            threading.Thread(target=self._client, args=(n / rate,), daemon=True) for n in range(clients)
        ]

    def __enter__(self) -> "Load":
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.seconds = time.monotonic() - self._began
        for thread in self._threads:
            thread.join()

    def _client(self, due: float) -> None:
        api, chance = self._connect(), random.Random(due)
        while not self._over.wait(max(0.0, due - self._now())):
            instances = [chance.choice(self._rows) for _ in range(self._size)]
            self.answered.append(self._ask(api, instances, due))
            due += self._every

    def _ask(self, api: PredictionApi, instances: list[Any], due: float) -> Answered:
        try:
            answer = api.predict({"instances": instances})
            version, found = answer.headers.get("X-Model-Version", ""), answer.json()["predictions"]
        except ApiError as error:
            return Answered(due, self._now() - due, error.status, why=str(error))
        except (ValueError, KeyError, TypeError) as error:
            return Answered(due, self._now() - due, 0, why=f"an answer without predictions: {error!r}")
        return Answered(due, self._now() - due, answer.status_code, version, tuple(found))

    def _now(self) -> float:
        return time.monotonic() - self._began


def summary(load: Load, rate: float) -> dict[str, Any]:
    """The document of `sandbox load -o json`; latencies in milliseconds.

    `unsent` were due, but every client still waited for an answer. A second is that of the answer.
    """
    answered = sorted(load.answered, key=lambda each: each.due)
    failed = [each for each in answered if each.status != 200]
    by_second: dict[int, list[Answered]] = {}
    for each in answered:
        by_second.setdefault(int(each.at), []).append(each)
    return {
        "rate": rate,
        "unsent": max(0, int(load.seconds * rate) - len(answered)),
        "reached_rps": round(len(answered) / load.seconds, 1) if load.seconds else 0.0,
        "seconds": round(load.seconds, 1),
        "requests": len(answered),
        "failed": len(failed),
        "statuses": {str(status): n for status, n in Counter(each.status for each in answered).items()},
        "versions": dict(Counter(each.version for each in answered if each.version)),
        "latency_ms": latencies(answered),
        "by_second": [
            {"second": second, "requests": len(part), **latencies(part)}
            for second, part in sorted(by_second.items())
        ],
        "first_failure": failed[0].why if failed else "",
    }


def latencies(answered: Sequence[Answered]) -> dict[str, float]:
    """Percentiles in milliseconds, by the nearest rank; empty without an answer."""
    times = sorted(each.seconds for each in answered)
    ranks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {
        name: round(times[math.ceil(share * len(times)) - 1] * 1000, 2)
        for name, share in ranks.items()
        if times
    }
