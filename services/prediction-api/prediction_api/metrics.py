"""The metrics of the service: one table, and the few ways it is written and read."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONFIDENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


@dataclass(frozen=True)
class Metric:
    """One row of the table."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str
    #: Of a histogram.
    buckets: tuple[float, ...] = SECONDS


TABLE = (
    Metric("prediction_api_requests_total", "counter", ("route", "status"), "Requests answered"),
    Metric("prediction_api_request_seconds", "histogram", ("route",), "Seconds from request to answer"),
    Metric("prediction_api_in_flight", "gauge livesum", (), "Requests being answered now"),
    Metric("prediction_api_rows_total", "counter", (), "Rows predicted"),
    Metric(
        "prediction_api_predictions_total",
        "counter",
        ("model", "version", "label"),
        "Rows predicted by label: a training label, `other`, or `value` for a model without classes",
    ),
    Metric(
        "prediction_api_model_info",
        "gauge livemax",
        ("name", "version", "git_sha", "data_version", "role"),
        "1 for the models that serve, 0 for those that did; two of a role are 1 while workers move",
    ),
    Metric(
        "prediction_api_model_loaded_timestamp_seconds",
        "gauge livemax",
        (),
        "When the served model was loaded",
    ),
    Metric(
        "prediction_api_swaps_total",
        "counter",
        ("result",),
        "Model changes, by each worker: `served`, or `refused`, which counts every try",
    ),
    Metric("prediction_api_registry_errors_total", "counter", (), "Looks at MLflow that failed"),
    Metric(
        "prediction_api_log_rows_total",
        "counter",
        ("result",),
        "Rows for the prediction log: `written`, `dropped` by a full queue, or `lost` by the database",
    ),
    Metric(
        "prediction_api_log_queue_rows",
        "gauge livesum",
        (),
        "Rows that wait to be written, as of the writer's last look",
    ),
    Metric(
        "prediction_api_feedback_total",
        "counter",
        ("model", "version", "result"),
        "Rows whose truth was told: `correct` or `wrong`; another truth for a row is one more",
    ),
    Metric(
        "prediction_api_shadow_rows_total",
        "counter",
        ("model", "version", "result"),
        "Rows that a challenger predicted in the shadow: `agree` or `differ` from the answer, or `failed`",
    ),
    Metric(
        "prediction_api_confidence",
        "histogram",
        ("model", "version"),
        "Largest class probability of the rows logged",
        CONFIDENCES,
    ),
)


class Metrics:
    """The collectors of one process; counts of all workers meet in the folder of FOLDER_VARIABLE."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        collectors = {metric.name: _collector(metric, self._registry) for metric in TABLE}
        self.requests = collectors["prediction_api_requests_total"]
        self.seconds = collectors["prediction_api_request_seconds"]
        self.in_flight = collectors["prediction_api_in_flight"]
        self.rows = collectors["prediction_api_rows_total"]
        self.predictions = collectors["prediction_api_predictions_total"]
        self.model_info = collectors["prediction_api_model_info"]
        self.loaded = collectors["prediction_api_model_loaded_timestamp_seconds"]
        self.swaps = collectors["prediction_api_swaps_total"]
        self.registry_errors = collectors["prediction_api_registry_errors_total"]
        self.log_rows = collectors["prediction_api_log_rows_total"]
        self.log_queue_rows = collectors["prediction_api_log_queue_rows"]
        self.feedback = collectors["prediction_api_feedback_total"]
        self.shadow_rows = collectors["prediction_api_shadow_rows_total"]
        self.confidence = collectors["prediction_api_confidence"]
        # `labels` takes a lock and makes strings; what every request counts is looked up here.
        self.requests_of = cache(self.requests.labels)
        self.seconds_of = cache(self.seconds.labels)
        self.predictions_of = cache(self.predictions.labels)

    def render(self) -> bytes:
        """What Prometheus reads: the sum over all workers where there are several."""
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)
        return generate_latest(shared)


def _collector(metric: Metric, registry: CollectorRegistry) -> Any:
    kind, _, mode = metric.type.partition(" ")
    arguments = {
        "name": metric.name,
        "documentation": metric.help,
        "labelnames": metric.labels,
        "registry": registry,
    }
    if kind == "counter":
        return Counter(**arguments)
    if kind == "histogram":
        return Histogram(**arguments, buckets=metric.buckets)
    return Gauge(**arguments, multiprocess_mode=mode)


def forget_processes(folder: Path, lives: Callable[[int], bool]) -> None:
    """Drop the gauges of workers that are gone; their counters stay counted."""
    written = {int(pid) for path in folder.glob("*.db") if (pid := path.stem.rpartition("_")[2]).isdigit()}
    for pid in written:
        # Two workers that start together may both drop the same file.
        with contextlib.suppress(FileNotFoundError):
            if not lives(pid):
                mark_process_dead(pid, str(folder))
