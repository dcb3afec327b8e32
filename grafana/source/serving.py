"""Does the prediction API answer, fast enough and rightly?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from source.frame import frame, row
from source.limits import alert
from source.panels import (
    HALF,
    SIXTH,
    THIRD,
    Text,
    bad_above,
    bad_below,
    bars,
    figure,
    lines,
    listing,
    ranking,
)
from source.queries import Metric, Rows, counted, quantile

AWAY = "The prediction API is away, or Prometheus has not asked it yet"
NO_REQUEST = "Nobody asked for a prediction in this time"
NO_FEEDBACK = "Nobody told true labels (POST /feedback) in this time"
NO_LOG = "Nothing was logged: no predictions, or PREDICTION_LOG=off"
ACCURACY = bad_below(*reversed(alert("accuracy")))
PREDICT = 'route=~"/predict|/v1/models/.name.:predict"'  # as the alerts' rules say it
ERRORS = alert("errors")  # share of requests
SLOW = alert("p95_seconds")  # of the slowest twentieth


def dashboard() -> Dashboard:
    """Requests, versions, what was predicted, and whether it was right."""
    page = frame("serving", "Serving", "Does the prediction API answer, fast enough and rightly?", "now-1h")
    for build in (_now, _requests, _versions, _answers, _log):
        build(page)
    return page


def _now(page: Dashboard) -> None:
    page.with_row(row("How is it now?"))
    page.with_panel(
        figure(
            Text("How many predictions a second?", "Rows predicted, mean of the last minutes.", AWAY),
            "rps",
            Metric("sum(rate(prediction_api_rows_total[$__rate_interval]))", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("What share fails?", "Predictions answered with 5xx, of all in this time.", NO_REQUEST),
            "percentunit",
            Metric(_errors("$__range"), now=True),
            bad_above(*ERRORS),
        )
    )
    page.with_panel(
        figure(
            Text(
                "How slow is the slowest twentieth?",
                "p95 of prediction requests in this time, from request to answer inside the API.",
                NO_REQUEST,
            ),
            "s",
            Metric(
                f"histogram_quantile(0.95, sum by (le) (increase(prediction_api_request_seconds_bucket{{{PREDICT}}}[$__range])))",
                now=True,
            ),
            bad_above(*SLOW),
        )
    )
    page.with_panel(
        figure(
            Text(
                "Is it right?",
                "Live accuracy: rows with a true label that were predicted right, in this time, all versions.",
                NO_FEEDBACK,
            ),
            "percentunit",
            Metric(
                _live("$__range"),
                now=True,
            ),
            ACCURACY,
        )
    )
    page.with_panel(
        figure(
            Text("How long is the model loaded?", "Since the last swap.", AWAY),
            "s",
            Metric("time() - max(prediction_api_model_loaded_timestamp_seconds > 0)", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("How many wait for an answer?", "Requests in flight at the newest look.", AWAY),
            "short",
            Metric("sum(prediction_api_in_flight)", now=True),
            width=SIXTH,
        )
    )


def _requests(page: Dashboard) -> None:
    page.with_row(row("How does it answer?"))
    page.with_panel(
        lines(
            Text(
                "How many requests come?", "Requests a second by status, probes and scrapes included.", AWAY
            ),
            "reqps",
            Metric("sum by (status) (rate(prediction_api_requests_total[$__rate_interval]))", "{{status}}"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Does it fail?",
                f"Share of requests answered with 5xx. Warned above {ERRORS[0]:.0%}, critical above {ERRORS[1]:.0%}.",
                NO_REQUEST,
            ),
            "percentunit",
            Metric(_errors("$__rate_interval"), "failed"),
            steps=bad_above(*ERRORS),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "How fast does it answer?",
                f"Prediction requests: half, nineteen of twenty and 99 of 100 took less than this. p95 is warned above {SLOW[0]} s, critical above {SLOW[1]} s.",
                NO_REQUEST,
            ),
            "s",
            *(
                Metric(
                    quantile(share, f"prediction_api_request_seconds_bucket{{{PREDICT}}}"),
                    f"p{share * 100:.0f}",
                )
                for share in (0.5, 0.95, 0.99)
            ),
            steps=bad_above(*SLOW),
            width=THIRD,
        )
    )


def _versions(page: Dashboard) -> None:
    page.with_row(row("Which version answers?"))
    page.with_panel(
        lines(
            Text(
                "How is traffic split over versions?",
                "Rows a second by model and version: the champion's and, in an A/B test, the challenger's.",
                NO_REQUEST,
            ),
            "rps",
            Metric(
                "sum by (model, version) (rate(prediction_api_predictions_total[$__rate_interval]))",
                "{{model}} {{version}}",
            ),
            width=THIRD,
        )
    )
    page.with_panel(
        bars(
            Text(
                "Was the model swapped?",
                "Model changes in the hour before each point: `served`, or `refused` with a reason in GET /model.",
                AWAY,
            ),
            "short",
            Metric(counted("prediction_api_swaps_total", "1h", "result"), "{{result}}"),
            width=THIRD,
        )
    )
    page.with_panel(
        listing(
            Text("Who serves now?", "Models that serve, with their role, commit and data version.", AWAY),
            Metric(
                "sum by (name, version, role, git_sha, data_version) (prediction_api_model_info == 1)",
                table=True,
            ),
            width=THIRD,
        )
    )


def _answers(page: Dashboard) -> None:
    page.with_row(row("What does it predict, and is it right?"))
    page.with_panel(
        lines(
            Text(
                "Does the mix of classes change?",
                "Share of each label in what was predicted. A class that vanishes or takes over is a sign of drift.",
                NO_REQUEST,
            ),
            "percentunit",
            Metric(
                "sum by (label) (rate(prediction_api_predictions_total[$__rate_interval])) / ignoring (label) group_left () (sum(rate(prediction_api_predictions_total[$__rate_interval])) > 0)",
                "{{label}}",
            ),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "How sure is it?",
                "Largest class probability of the logged rows: half and nine of ten were above these.",
                NO_LOG,
            ),
            "percentunit",
            *(
                Metric(quantile(share, "prediction_api_confidence_bucket"), name)
                for share, name in ((0.5, "half above"), (0.1, "nine of ten above"))
            ),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Is it right, version by version?",
                "Live accuracy: right rows of those whose truth was told, in the hour before each point.",
                NO_FEEDBACK,
            ),
            "percentunit",
            Metric(
                _live("1h", "model", "version"),
                "{{model}} {{version}}",
            ),
            steps=ACCURACY,
            width=THIRD,
        )
    )
    page.with_panel(
        ranking(
            Text(
                "Does the shadow agree?",
                "Rows that a challenger predicted in the shadow in this time: `agree` or `differ` from the answer, or `failed`.",
                "No challenger predicts in the shadow (make challenge VERSION=… SHADOW=1)",
            ),
            "short",
            Metric(
                counted("prediction_api_shadow_rows_total", "$__range", "version", "result"),
                "{{version}} {{result}}",
                now=True,
            ),
            width=HALF,
        )
    )
    page.with_panel(
        listing(
            Text(
                "Which answers were the newest?",
                "The last rows of the prediction log; masked columns show ***. From the database `serving`.",
                NO_LOG,
            ),
            Rows("""
            SELECT p.at AS at, p.request_id AS request, p.`row` AS `row`, p.model AS model, p.version AS version, p.role AS role,
                CAST(p.prediction AS CHAR) AS prediction, p.confidence AS confidence, p.ms AS ms
            FROM serving.predictions p ORDER BY p.entry DESC LIMIT 50"""),
            width=HALF,
        )
    )


def _log(page: Dashboard) -> None:
    page.with_row(row("Is every prediction logged?"))
    page.with_panel(
        lines(
            Text(
                "How many rows are logged, dropped or lost?",
                "Rows a second: `written`, `dropped` because the queue was full, `lost` because the database was away. An answer never waits for the log.",
                NO_LOG,
            ),
            "rps",
            Metric("sum by (result) (rate(prediction_api_log_rows_total[$__rate_interval]))", "{{result}}"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Does the log keep up?",
                "Rows that wait to be written. Near zero unless the database is slow or away.",
                AWAY,
            ),
            "short",
            Metric("sum(prediction_api_log_queue_rows)", "waiting"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Does it reach the registry?",
                "Looks at MLflow that failed, a second. The served model stays while MLflow is away.",
                AWAY,
            ),
            "ops",
            Metric("sum(rate(prediction_api_registry_errors_total[$__rate_interval]))", "failed looks"),
            width=THIRD,
        )
    )


def _errors(span: str) -> str:
    failed = f'sum(rate(prediction_api_requests_total{{{PREDICT}, status=~"5.."}}[{span}]))'
    every = f"(sum(rate(prediction_api_requests_total{{{PREDICT}}}[{span}])) > 0)"
    return f"({failed} or 0 * {every}) / {every}"


def _live(span: str, *by: str) -> str:
    """The share of told rows that were right; a version that never was has no series of right ones."""
    every = counted(_told(), span, *by)
    return f"(({counted(_told('correct'), span, *by)}) or 0 * ({every})) / (({every}) > 0)"


def _told(result: str = "") -> str:
    return (
        f'prediction_api_feedback_total{{result="{result}"}}' if result else "prediction_api_feedback_total"
    )
