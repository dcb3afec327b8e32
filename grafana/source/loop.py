"""Does a push become a served model, how fast, and where does it stop?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from source.frame import frame, row
from source.limits import slo
from source.panels import (
    HALF,
    THIRD,
    WIDE,
    Text,
    bad_above,
    bars,
    figure,
    lines,
    listing,
    ranking,
)
from source.queries import Metric, Rows, gained

NO_LOOP = "No loop has ended yet, or the monitor is away"
NO_DEPLOYMENT = "Nothing was deployed in this time"
STAGE_ORDER = "ci data train gate register tag promote serve verify"


def dashboard() -> Dashboard:
    """The home dashboard."""
    page = frame(
        "loop", "Loop", "Does a push become a served model, how fast, and where does it stop?", "now-24h"
    )
    for build in (_delivery, _stages, _runs):
        build(page)
    return page


def _delivery(page: Dashboard) -> None:
    page.with_row(row("How well do we deliver? (the four DORA figures)"))
    served = gained('loop_runs_total{outcome="served"}', "$__range")
    broken = gained('loop_runs_total{outcome="failed"}', "$__range")
    ended = gained('loop_runs_total{outcome=~"served|failed"}', "$__range")
    page.with_panel(
        figure(
            Text(
                "How many deployments?",
                "Runs in this time that ended with a version served. Rollbacks count: they are deployments too.",
                NO_LOOP,
            ),
            "short",
            Metric(served, now=True),
        )
    )
    page.with_panel(
        figure(
            Text(
                "How long from push to served?",
                "Lead time for changes: the median from the push's first CI status to the end of `verify`, of the pushes in this time.",
                NO_DEPLOYMENT,
            ),
            "s",
            Metric(
                f"histogram_quantile(0.5, {gained('loop_push_to_served_seconds_bucket', '$__range', 'le')})",
                now=True,
            ),
            bad_above(slo()["longest_seconds"]["run"]),
        )
    )
    page.with_panel(
        figure(
            Text(
                "What share of changes fails?",
                "Change failure rate: runs that failed, or whose version was taken back, of those and the served. What the gate rejects is no failure: that is its work.",
                "Nothing was deployed or failed in this time",
            ),
            "percentunit",
            Metric(
                f"(({broken}) or 0 * ({ended})) / ((({served}) or 0 * ({ended})) + (({broken}) or 0 * ({ended})) > 0)",
                now=True,
            ),
            bad_above(0.15, 0.3),
        )
    )
    page.with_panel(
        figure(
            Text(
                "How long until it works again?",
                "Time to restore: the mean from a run that failed or was taken back to the next one served.",
                "No failure was mended in this time",
            ),
            "s",
            Metric(
                f"({gained('loop_restore_seconds_sum', '$__range')}) / ({gained('loop_restore_seconds_count', '$__range')} > 0)",
                now=True,
            ),
        )
    )
    page.with_panel(
        figure(
            Text(
                "How old is the served model?",
                f"Since the version was made. Promised: under {slo()['freshness_hours']} h.",
                "Nothing is served",
            ),
            "s",
            Metric("time() - max(loop_served_created_timestamp_seconds)", now=True),
            bad_above(slo()["freshness_hours"] * 3600),
        )
    )
    page.with_panel(
        figure(
            Text(
                "Does a run hang?",
                "Age of the oldest run that has not ended; zero without one. One that waits for a person counts too.",
                "The monitor is away",
            ),
            "s",
            Metric("max(loop_run_age_seconds)", now=True),
            bad_above(slo()["longest_seconds"]["run"]),
        )
    )


def _stages(page: Dashboard) -> None:
    page.with_row(row("Where does the time go?"))
    page.with_panel(
        ranking(
            Text(
                "How long did each stage take last?",
                f"Seconds of the newest run of each stage, in the order of the loop: {STAGE_ORDER}.",
                NO_LOOP,
            ),
            "s",
            Metric("max by (stage) (loop_stage_last_seconds)", "{{stage}}", now=True),
        )
    )
    page.with_panel(
        lines(
            Text(
                "Does a stage get slower?",
                "Mean seconds of each stage, of the runs in the hour before each point.",
                NO_LOOP,
            ),
            "s",
            Metric(
                "sum by (stage) (rate(loop_stage_seconds_sum[1h])) / (sum by (stage) (rate(loop_stage_seconds_count[1h])) > 0)",
                "{{stage}}",
            ),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Does a push take longer to be served?",
                "Half and nine tenths of the pushes of the day before each point took less than this.",
                NO_DEPLOYMENT,
            ),
            "s",
            Metric(
                f"histogram_quantile(0.5, {gained('loop_push_to_served_seconds_bucket', '1d', 'le')})", "half"
            ),
            Metric(
                f"histogram_quantile(0.9, {gained('loop_push_to_served_seconds_bucket', '1d', 'le')})",
                "nine tenths",
            ),
            width=THIRD,
        )
    )


def _runs(page: Dashboard) -> None:
    page.with_row(row("How do runs end?"))
    page.with_panel(
        ranking(
            Text(
                "How did runs end?",
                "Ended runs of this time by outcome. `superseded`: a newer commit was promoted before.",
                NO_LOOP,
            ),
            "short",
            Metric(gained("loop_runs_total", "$__range", "outcome"), "{{outcome}}", now=True),
        )
    )
    page.with_panel(
        ranking(
            Text(
                "What started them?",
                "Ended runs of this time by reason: a push, new data, the schedule, drift, or a person.",
                NO_LOOP,
            ),
            "short",
            Metric(gained("loop_runs_total", "$__range", "reason"), "{{reason}}", now=True),
        )
    )
    page.with_panel(
        ranking(
            Text(
                "Which rule rejects?",
                "Rejections of the gate in this time by rule. The reason in words stands on the commit.",
                "The gate has rejected nothing",
            ),
            "short",
            Metric(gained("loop_rejections_total", "$__range", "rule"), "{{rule}}", now=True),
        )
    )
    page.with_panel(
        bars(
            Text(
                "When was deployed, rejected, failed?",
                "Ended runs by outcome, in the hour before each point.",
                NO_LOOP,
            ),
            "short",
            Metric(gained("loop_runs_total", "1h", "outcome"), "{{outcome}}"),
            width=HALF,
        )
    )
    page.with_panel(
        listing(
            Text(
                "What were the newest versions?",
                "Registered versions, newest first: which commit and data they are made of, and which run served them. From MLflow's tables.",
                "No version is registered yet",
            ),
            Rows("""
            SELECT FROM_UNIXTIME(v.creation_time / 1000) AS made, v.name AS model, v.version AS version,
                MAX(CASE WHEN t.`key` = 'code_commit' THEN LEFT(t.value, 12) END) AS code,
                MAX(CASE WHEN t.`key` = 'data_version' THEN t.value END) AS data,
                MAX(CASE WHEN t.`key` = 'promoted_by' THEN t.value END) AS promoted_by
            FROM model_versions v LEFT JOIN model_version_tags t ON t.name = v.name AND t.version = v.version
            GROUP BY v.name, v.version, v.creation_time ORDER BY v.creation_time DESC LIMIT 20"""),
        )
    )
    page.with_panel(
        listing(
            Text(
                "Which alerts fire now?",
                "What Prometheus' rules say; who is told is Alertmanager's part. The watchdog always fires and is left out.",
                "Nothing fires",
            ),
            Metric(
                'sum by (alertname, severity) (ALERTS{alertstate="firing", severity!="none"})', table=True
            ),
            width=WIDE,
        )
    )
