"""Histograms that survive a restart: their buckets are counters of the store."""

from prometheus_client.core import HistogramMetricFamily

from monitor.store import Store

# Upper bounds in seconds.
STAGE = "loop_stage_seconds"
PUSH = "loop_push_to_served_seconds"
RESTORE = "loop_restore_seconds"
BOUNDS = {
    STAGE: (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600),
    PUSH: (10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600),
    RESTORE: (60, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 48 * 3600, 7 * 24 * 3600),
}


def observe(store: Store, metric: str, value: float, **labels: str) -> None:
    """Count a value of so many seconds, in each bucket that it fits in."""
    for bound in (*BOUNDS[metric], float("inf")):
        if value <= bound:
            store.add(f"{metric}_bucket", le=_le(bound), **labels)
    store.add(f"{metric}_sum", value, **labels)


def family(
    store: Store, metric: str, text: str, label: str, values: tuple[str, ...]
) -> HistogramMetricFamily:
    """The metric as it stands, for each value of its one label; without a label: ("",)."""
    found = HistogramMetricFamily(metric, text, labels=[label] if label else [])
    buckets = {
        (labels.get(label, ""), labels["le"]): value for labels, value in store.figures(f"{metric}_bucket")
    }
    sums = {labels.get(label, ""): value for labels, value in store.figures(f"{metric}_sum")}
    for value in values:
        bounds = [_le(bound) for bound in (*BOUNDS[metric], float("inf"))]
        counts = [(bound, buckets.get((value, bound), 0.0)) for bound in bounds]
        found.add_metric([value] if label else [], counts, sums.get(value, 0.0))
    return found


def _le(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(float(bound))
