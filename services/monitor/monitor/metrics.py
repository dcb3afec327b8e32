"""`/metrics`: all of it made of the store, so that a restart changes nothing."""

import time
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitor import histograms
from monitor.airflow import DAGS
from monitor.heads import HEADS
from monitor.outcomes import OTHER, OUTCOMES, REASONS, RULES, STAGES
from monitor.registry import DRIFT
from monitor.registry import SERVED as CHAMPION
from monitor.runs import GOING
from monitor.statuses import PENDING
from monitor.store import Labels, Store
from monitor.watch import SERVICES, UP

Samples = list[tuple[Labels, float]]


class LoopMetrics:
    """A collector of prometheus-client; `looked` tells when the last look was, 0 before the first."""

    def __init__(self, store: Store, looked: Callable[[], float]) -> None:
        self.store, self.looked = store, looked

    def collect(self) -> Iterator[Metric]:
        """Every metric of seam 16."""
        yield from self._runs()
        yield from self._durations()
        yield from self._served()
        yield from self._heads()
        yield from self._drift()
        up = self.store.known(UP) or {}
        yield _gauge(
            "loop_service_up",
            "Whether a service answered the last look",
            [({"service": name}, float(up[name])) for name in SERVICES if name in up],
        )
        looked = self.looked()
        yield _gauge("loop_look_timestamp_seconds", "When that was", [({}, looked)] if looked else [])

    def _runs(self) -> Iterator[Metric]:
        counted = {_key(labels): value for labels, value in self.store.figures("loop_runs_total")}
        runs = CounterMetricFamily("loop_runs", "Ended runs", labels=["dag", "reason", "outcome"])
        for labels in _all_runs():
            runs.add_metric([*labels.values()], counted.get(_key(labels), 0.0))
        yield runs
        by_rule = {labels["rule"]: value for labels, value in self.store.figures("loop_rejections_total")}
        rejections = CounterMetricFamily("loop_rejections", "Rejections by rule of the gate", labels=["rule"])
        for rule in (*RULES, OTHER):
            rejections.add_metric([rule], by_rule.get(rule, 0.0))
        yield rejections
        now, going = time.time(), self.store.known(GOING)
        ages = (
            [({"dag": dag}, max(0.0, now - going[dag]) if going[dag] else 0.0) for dag in DAGS]
            if going
            else []
        )
        yield _gauge("loop_run_age_seconds", "Age of the oldest run that has not ended", ages)
        last = "loop_last_run_timestamp_seconds"
        yield _gauge(last, "End of the newest run", self.store.figures(last))

    def _durations(self) -> Iterator[Metric]:
        store = self.store
        yield histograms.family(store, histograms.STAGE, "Stages that passed", "stage", STAGES)
        last = "loop_stage_last_seconds"
        yield _gauge(last, "The newest time of a stage", store.figures(last))
        yield histograms.family(store, histograms.PUSH, "From a push to its model served", "", ("",))
        text = "From a run that failed to the next one served"
        yield histograms.family(store, histograms.RESTORE, text, "", ("",))

    def _served(self) -> Iterator[Metric]:
        served = self.store.known(CHAMPION)
        named = {key: served[key] for key in ("model", "version")} if served else {}
        more = {key: served[key] for key in ("code_commit", "data_version")} if served else {}
        info: Samples = [(named | more, 1.0)] if served else []
        yield _gauge("loop_served_info", "The version that is served", info)
        for what, key in {"created": "created", "promoted": "promoted", "data": "data_made"}.items():
            at = served[key] if served else None
            samples: Samples = [({"model": named["model"]}, at)] if at else []
            text = "When the served version was made, was promoted, and its data commit was made"
            yield _gauge(f"loop_served_{what}_timestamp_seconds", text, samples)
        figures = [(named | {"metric": k}, v) for k, v in served["metrics"].items()] if served else []
        yield _gauge("loop_served_metric", "Its figures on its test rows", figures)

    def _heads(self) -> Iterator[Metric]:
        now, heads = time.time(), self.store.known(HEADS) or {}
        unbuilt = [
            ({"repository": name}, 0.0 if head["ci"] else max(0.0, now - head["since"]))
            for name, head in heads.items()
        ]
        yield _gauge("loop_head_unbuilt_seconds", "How long a head has been without a status ci", unbuilt)
        pending = [({"repository": name}, float(head["ci"] == PENDING)) for name, head in heads.items()]
        yield _gauge("loop_builds_pending", "Heads of main whose ci is pending", pending)

    def _drift(self) -> Iterator[Metric]:
        judged = self.store.known(DRIFT)
        named = {key: judged[key] for key in ("model", "version")} if judged else {}
        scores: Samples = []
        for key, value in judged["scores"].items() if judged else ():
            test, _, column = key.partition(".")
            scores.append((named | {"column": column, "test": test}, value))
        yield _gauge("loop_drift_score", "Drift of a column at the newest judgement", scores)
        yield _gauge("loop_drift_rows", "Rows that it judged", [(named, judged["rows"])] if judged else [])
        at: Samples = [(named, judged["at"])] if judged else []
        yield _gauge("loop_drift_timestamp_seconds", "When that was", at)


def _all_runs() -> Iterator[Labels]:
    """Every run that can be counted."""
    for dag, reasons in REASONS.items():
        for reason in reasons:
            for outcome in OUTCOMES:
                yield {"dag": dag, "reason": reason, "outcome": outcome}


def _key(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _gauge(name: str, text: str, samples: Samples) -> GaugeMetricFamily:
    """A gauge of these samples, which all have the same labels."""
    found = GaugeMetricFamily(name, text, labels=[*samples[0][0]] if samples else [])
    for labels, value in samples:
        found.add_metric([*labels.values()], value)
    return found
