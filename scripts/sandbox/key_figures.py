"""The key figures of `sandbox status` where no Prometheus runs, read from the services' own /metrics.

They count since a service's own start of counting: what happened lately is for Prometheus to say.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sandbox.drivers.base import Service
from sandbox.http import ApiError, Http

Samples = list[tuple[str, dict[str, str], float]]
PREDICTS = ("/predict", "/v1/models/{name}:predict")
REFUSED = ("400", "413", "415", "422")


@dataclass(frozen=True)
class Figures:
    """Counts of requests; seconds; shares of 1. None: not known."""

    predictions: int
    errors: int  # 5xx
    refused: int  # input that did not fit
    p95_seconds: float | None  # the bound of the histogram that 95 % stay below; None beyond its last one
    live_accuracy: float | None
    accuracy: float | None
    last_outcome: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def key_figures(services: Iterable[Service]) -> Figures | None:
    """None where Prometheus runs, or the prediction API does not."""
    running = {service.name: service.url for service in services if service.running}
    if "prometheus" in running or "prediction-api" not in running:
        return None
    return figures(*(_samples(name, running.get(name, "")) for name in ("prediction-api", "monitor")))


def figures(api: Samples, monitor: Samples) -> Figures:
    """From what the two say."""
    answers = [
        (labels["status"], value)
        for name, labels, value in api
        if name == "prediction_api_requests_total" and labels["route"] in PREDICTS
    ]
    return Figures(
        predictions=int(sum(value for _, value in answers)),
        errors=int(sum(value for status, value in answers if status.startswith("5"))),
        refused=int(sum(value for status, value in answers if status in REFUSED)),
        p95_seconds=_p95(api),
        live_accuracy=_live_accuracy(api),
        accuracy=_accuracy(monitor),
        last_outcome=_last_outcome(monitor),
    )


def _samples(name: str, url: str) -> Samples:
    """Nothing where the service does not run or does not answer: status is asked when things are broken."""
    if not url:
        return []
    try:
        text = Http(name, url).call("GET", "/metrics").text
    except ApiError:
        return []
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def _p95(samples: Samples) -> float | None:
    counts: dict[float, float] = defaultdict(float)
    for name, labels, value in samples:
        if name == "prediction_api_request_seconds_bucket" and labels["route"] in PREDICTS:
            counts[float(labels["le"])] += value
    wanted = 0.95 * counts[math.inf]
    reached = [bound for bound, count in counts.items() if count >= wanted > 0 and bound < math.inf]
    return min(reached, default=None)


def _live_accuracy(samples: Samples) -> float | None:
    told = [
        (labels["result"], value)
        for name, labels, value in samples
        if name == "prediction_api_feedback_total"
    ]
    total = sum(value for _, value in told)
    return sum(value for result, value in told if result == "correct") / total if total else None


def _accuracy(samples: Samples) -> float | None:
    return next(
        (
            value
            for name, labels, value in samples
            if name == "loop_served_metric" and labels["metric"] == "accuracy"
        ),
        None,
    )


def _last_outcome(samples: Samples) -> str | None:
    ended = [
        (value, labels["outcome"])
        for name, labels, value in samples
        if name == "loop_last_run_timestamp_seconds" and labels["dag"] == "train_and_serve"
    ]
    return max(ended)[1] if ended else None


def in_words(found: dict[str, Any]) -> str:
    """One line for people."""
    words = [f"{found['predictions']} predictions, {found['errors']} failed, {found['refused']} refused"]
    if found["p95_seconds"] is not None:
        words.append(f"p95 within {found['p95_seconds']:g} s")
    if found["accuracy"] is not None:
        words.append(f"accuracy {found['accuracy']:.3f}")
    if found["live_accuracy"] is not None:
        words.append(f"live {found['live_accuracy']:.3f}")
    if found["last_outcome"]:
        words.append(f"last loop {found['last_outcome']}")
    return "; ".join(words)
