"""Do requests still look like the training data?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from source.frame import frame, row
from source.limits import slo
from source.panels import HALF, SIXTH, WIDE, Text, bad_above, figure, lines, listing, ranking
from source.queries import Metric, Rows, gained

PSI = slo()["drift"]["psi"]
NEVER = "No drift run has judged yet: too few logged rows, or DRIFT_SCHEDULE is empty"


def dashboard() -> Dashboard:
    """Scores by column over time, with the limit that starts a run."""
    page = frame("drift", "Drift", "Do requests still look like the training data?", "now-24h")
    for build in (_now, _columns, _runs):
        build(page)
    return page


def _now(page: Dashboard) -> None:
    page.with_row(row("How is it now?"))
    page.with_panel(
        figure(
            Text(
                "How far has the worst column drifted?",
                f"Largest PSI of the newest judgement. Above {PSI} the loop is started, at most once a window.",
                NEVER,
            ),
            "none",
            Metric('max(loop_drift_score{test="psi"})', now=True),
            bad_above(PSI),
        )
    )
    page.with_panel(
        figure(
            Text("When was it judged?", "Since the newest drift run.", NEVER),
            "s",
            Metric("time() - max(loop_drift_timestamp_seconds)", now=True),
        )
    )
    page.with_panel(
        figure(
            Text(
                "On how many rows?",
                "Logged rows that the newest judgement compared with the training rows.",
                NEVER,
            ),
            "short",
            Metric("max(loop_drift_rows)", now=True),
            width=SIXTH,
        )
    )
    page.with_panel(
        figure(
            Text(
                "How many loops did drift start?",
                "Ended runs of this time with the reason drift.",
                "Drift has started no loop",
            ),
            "short",
            Metric(gained('loop_runs_total{reason="drift"}', "$__range"), now=True),
        )
    )
    page.with_panel(
        figure(
            Text(
                "How many rows are there to judge?",
                "Rows of the prediction log in this time. Masked columns are not judged. From the database `serving`.",
                "The prediction log cannot be read",
            ),
            "short",
            Rows("SELECT COUNT(*) AS `rows` FROM serving.predictions p WHERE $__timeFilter(p.at)"),
        )
    )


def _columns(page: Dashboard) -> None:
    page.with_row(row("Which column drifts?"))
    page.with_panel(
        ranking(
            Text(
                "Which column has drifted most?",
                "Population Stability Index of each column at the newest judgement: below 0.1 stable, above 0.2 another distribution.",
                NEVER,
            ),
            "none",
            Metric('sort_desc(max by (column) (loop_drift_score{test="psi"}))', "{{column}}", now=True),
            bad_above(PSI),
            width=HALF,
        )
    )
    page.with_panel(
        lines(
            Text(
                "How does PSI go, column by column?",
                f"Population Stability Index. The line is the limit, {PSI}.",
                NEVER,
            ),
            "none",
            Metric('max by (column) (loop_drift_score{test="psi"})', "{{column}}"),
            steps=bad_above(PSI),
        )
    )
    page.with_panel(
        lines(
            Text(
                "How does Kolmogorov-Smirnov go, column by column?",
                "Largest distance of the two distributions, 0 to 1; of numeric columns. No limit: with many rows every small distance is significant.",
                NEVER,
            ),
            "none",
            Metric('max by (column) (loop_drift_score{test="ks"})', "{{column}}"),
        )
    )
    page.with_panel(
        lines(
            Text(
                "Does confidence fall with it?",
                "Mean of the largest class probability of logged rows in the hour before each point.",
                "Nothing was logged in this time",
            ),
            "percentunit",
            Metric(
                "sum by (version) (rate(prediction_api_confidence_sum[1h])) / (sum by (version) (rate(prediction_api_confidence_count[1h])) > 0)",
                "version {{version}}",
            ),
        )
    )


def _runs(page: Dashboard) -> None:
    page.with_row(row("What was judged?"))
    page.with_panel(
        listing(
            Text(
                "What did the newest drift runs say?",
                "Newest first: score (largest PSI) and rows. The report `drift.html` lies in the run in MLflow.",
                NEVER,
            ),
            Rows("""
            SELECT FROM_UNIXTIME(r.start_time / 1000) AS judged, r.run_uuid AS run,
                MAX(CASE WHEN t.`key` = 'model' THEN t.value END) AS model,
                MAX(CASE WHEN t.`key` = 'version' THEN t.value END) AS version,
                MAX(CASE WHEN m.`key` = 'score' THEN m.value END) AS score,
                MAX(CASE WHEN m.`key` = 'rows' THEN m.value END) AS `rows`,
                MAX(CASE WHEN t.`key` = 'loop_run_id' THEN t.value END) AS airflow_run
            FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
                LEFT JOIN tags t ON t.run_uuid = r.run_uuid LEFT JOIN latest_metrics m ON m.run_uuid = r.run_uuid
            WHERE e.name = 'drift' AND r.lifecycle_stage = 'active'
            GROUP BY r.run_uuid, r.start_time ORDER BY r.start_time DESC LIMIT 50"""),
            width=WIDE,
        )
    )
