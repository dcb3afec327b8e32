"""How good are the models, and which one is served?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from source.frame import frame, model_choice, row
from source.limits import alert, slo
from source.panels import (
    HALF,
    SIXTH,
    THIRD,
    WIDE,
    Steps,
    Text,
    bad_above,
    bad_below,
    figure,
    lines,
    listing,
    timeline,
    words,
)
from source.queries import Metric, Rows

LEAST = slo()["gate"]["least_metrics"]["accuracy"]
ACCURACY = bad_below(*reversed(alert("accuracy")))
NO_RUN = "No run of this model has reported an accuracy in this time"
NO_VERSION = "Nothing is served"
WEEK, MONDAY = 604_800, 345_600  # seconds; 1970-01-05 was a Monday


def dashboard() -> Dashboard:
    """Accuracy, versions, the champion over time."""
    page = frame("model", "Model", "How good are the models, and which one is served?", "now-7d")
    page.with_variable(model_choice())
    for build in (_served, _accuracy, _versions):
        build(page)
    return page


def _served(page: Dashboard) -> None:
    page.with_row(row("What is served?"))
    info = 'loop_served_info{model="$model"}'
    page.with_panel(
        words(
            Text("Which version?", "The served version, as the registry says.", NO_VERSION),
            Metric(info, "version {{version}}", now=True),
        )
    )
    page.with_panel(
        words(
            Text("Of which code?", "The commit of `model_training` it was trained by.", NO_VERSION),
            Metric(info, "{{code_commit}}", now=True),
        )
    )
    page.with_panel(
        words(
            Text("Of which data?", "The data version: the tag DV_… of `data_preprocessing`.", NO_VERSION),
            Metric(info, "{{data_version}}", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("How accurate is it?", f"On its test rows. The gate demands {LEAST}.", NO_VERSION),
            "percentunit",
            Metric('loop_served_metric{model="$model", metric="accuracy"}', "accuracy", now=True),
            ACCURACY,
        )
    )
    page.with_panel(
        figure(
            Text("When was it promoted?", "Since the alias `champion` came to it.", NO_VERSION),
            "s",
            Metric('time() - loop_served_promoted_timestamp_seconds{model="$model"}', "ago", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("How old are its data?", "Since its data were committed.", NO_VERSION),
            "s",
            Metric('time() - loop_served_data_timestamp_seconds{model="$model"}', "ago", now=True),
            steps=bad_above(slo()["alerts"]["data_hours"] * 3600),
            width=SIXTH,
        )
    )


def _accuracy(page: Dashboard) -> None:
    page.with_row(row("How does accuracy go?"))
    for title, span, seconds, shift in (
        ("hour", "hour", 3600, 0),
        ("day", "day (UTC)", 86_400, 0),
        ("week", "week (from Monday, UTC)", WEEK, MONDAY),
    ):
        page.with_panel(
            lines(
                Text(
                    f"What is the mean accuracy by {title}?",
                    f"Mean accuracy on test rows of the runs of each {span}; `served` are those whose version was promoted. Rejected runs count in `trained`. From MLflow's tables.",
                    NO_RUN,
                ),
                "percentunit",
                Rows(_mean_accuracy(seconds, shift), series=True),
                steps=ACCURACY,
                width=THIRD,
            )
        )
    page.with_panel(
        lines(
            Text(
                "How good was each run?",
                "Accuracy of each training run of this model on its test rows. From MLflow's tables.",
                NO_RUN,
            ),
            "percentunit",
            Rows(_each_run("accuracy"), series=True),
            steps=ACCURACY,
            width=HALF,
        )
    )
    page.with_panel(
        lines(
            Text(
                "What else was measured?",
                "The other figures of each registered version on its test rows. From MLflow's tables.",
                NO_RUN,
            ),
            "none",
            Rows(_other_metrics(), series=True),
            width=HALF,
        )
    )


def _versions(page: Dashboard) -> None:
    page.with_row(row("Which versions are there?"))
    page.with_panel(
        timeline(
            Text(
                "Which version was champion when?",
                "What the prediction API served as champion. Two at once: workers that changed over.",
                "The prediction API serves nothing",
            ),
            Metric(
                'max by (version) (prediction_api_model_info{name="$model", role="champion"} == 1)',
                "version {{version}}",
            ),
            Steps("green"),
            width=WIDE,
        )
    )
    page.with_panel(
        listing(
            Text(
                "Which versions are registered?",
                "Newest first, with alias and the accuracy on test rows. The run is the one in MLflow.",
                "No version is registered",
            ),
            Rows("""
            SELECT v.version AS version, MAX(a.alias) AS alias, FROM_UNIXTIME(v.creation_time / 1000) AS made,
                MAX(m.value) AS accuracy, MAX(CASE WHEN t.`key` = 'code_commit' THEN LEFT(t.value, 12) END) AS code,
                MAX(CASE WHEN t.`key` = 'data_version' THEN t.value END) AS data,
                MAX(CASE WHEN t.`key` = 'promoted_by' THEN t.value END) AS promoted_by, v.run_id AS run
            FROM model_versions v
                LEFT JOIN registered_model_aliases a ON a.name = v.name AND a.version = v.version
                LEFT JOIN model_version_tags t ON t.name = v.name AND t.version = v.version
                LEFT JOIN latest_metrics m ON m.run_uuid = v.run_id AND m.`key` = 'accuracy'
            WHERE v.name = '$model'
            GROUP BY v.version, v.creation_time, v.run_id ORDER BY v.creation_time DESC LIMIT 50"""),
            width=WIDE,
        )
    )


# Runs of a model: MLflow logs into the experiment that has the model's name.
_RUNS = """
    FROM metrics m JOIN runs r ON r.run_uuid = m.run_uuid JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE e.name = '$model' AND r.lifecycle_stage = 'active' AND NOT m.is_nan
        AND m.timestamp BETWEEN $__unixEpochFrom() * 1000 AND $__unixEpochTo() * 1000"""


def _mean_accuracy(seconds: int, shift: int) -> str:
    promoted = "EXISTS (SELECT 1 FROM model_versions v JOIN model_version_tags t ON t.name = v.name AND t.version = v.version"
    promoted += " AND t.`key` = 'promoted_by' WHERE v.run_id = m.run_uuid)"
    return f"""
        SELECT (m.timestamp DIV 1000 - {shift}) DIV {seconds} * {seconds} + {shift} AS time,
            AVG(m.value) AS trained, AVG(CASE WHEN {promoted} THEN m.value END) AS served
        {_RUNS} AND m.`key` = 'accuracy' GROUP BY 1 ORDER BY 1"""


def _each_run(metric: str) -> str:
    return f"SELECT m.timestamp DIV 1000 AS time, m.value AS {metric} {_RUNS} AND m.`key` = '{metric}' ORDER BY 1"


def _other_metrics() -> str:
    return f"SELECT m.timestamp DIV 1000 AS time, m.`key` AS metric, m.value AS value {_RUNS} AND m.`key` NOT IN ('accuracy', 'search_macro_f1') AND m.`key` NOT LIKE 'train%' AND EXISTS (SELECT 1 FROM model_versions v WHERE v.run_id = m.run_uuid) ORDER BY 1"
