"""Do builds and runs get through: Git, CI, Airflow?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from source.frame import frame, row
from source.limits import slo
from source.panels import (
    HALF,
    SIXTH,
    THIRD,
    Steps,
    Text,
    bad_above,
    bad_below,
    bars,
    figure,
    lines,
    ranking,
    timeline,
)
from source.queries import Metric, counted

NO_MONITOR = "The monitor is away"
NO_AIRFLOW = "Airflow has sent nothing yet, or statsd-exporter is away"
NO_RUN = "No task has ended yet"
NO_JENKINS = "Jenkins is away, or services/ci builds in its place (embedded driver)"
NO_GITEA = "Gitea is away, or a folder of bare repositories stands in its place (embedded driver)"
HEARTBEAT = "1m"  # Airflow beats every five seconds
BUILD_RESULTS = Steps(
    "green", ((1, "orange"), (2, "red"), (3, "blue"))
)  # success, unstable, failure, not built or aborted


def dashboard() -> Dashboard:
    """Airflow by StatsD, Jenkins, Gitea, and what the monitor sees of builds."""
    page = frame("pipelines", "Pipelines", "Do builds and runs get through?")
    for build in (_builds, _airflow, _tasks, _jenkins, _gitea):
        build(page)
    return page


def _builds(page: Dashboard) -> None:
    page.with_row(row("Is every push built?"))
    page.with_panel(
        timeline(
            Text(
                "Did the loop's services answer?",
                "What the monitor's looks found: green answered, red did not.",
                NO_MONITOR,
            ),
            Metric("max by (service) (loop_service_up)", "{{service}}"),
            bad_below(1),
            width=HALF,
        )
    )
    page.with_panel(
        figure(
            Text(
                "Do builds wait?", "Heads of `main` whose status `ci` is pending, by repository.", NO_MONITOR
            ),
            "short",
            Metric("max by (repository) (loop_builds_pending)", "{{repository}}", now=True),
            width=SIXTH + SIXTH,
        )
    )
    page.with_panel(
        figure(
            Text(
                "Is a push forgotten?",
                "How long a head of `main` has no status `ci`: its webhook did not arrive. `make doctor` says where.",
                NO_MONITOR,
            ),
            "s",
            Metric("max(loop_head_unbuilt_seconds)", "longest", now=True),
            bad_above(slo()["alerts"]["unbuilt_seconds"]),
        )
    )


def _airflow(page: Dashboard) -> None:
    page.with_row(row("Airflow: does it work?"))
    page.with_panel(
        figure(
            Text(
                "Does the scheduler live?",
                f"Its heartbeats a second over {HEARTBEAT}. Zero: it hangs or is away.",
                NO_AIRFLOW,
            ),
            "hertz",
            Metric(f"sum(rate(airflow_scheduler_heartbeat[{HEARTBEAT}]))", now=True),
            bad_below(0.01),
        )
    )
    page.with_panel(
        figure(
            Text("Do all DAGs import?", "Files of the bundle that Airflow could not import.", NO_AIRFLOW),
            "short",
            Metric("max(airflow_dag_processing_import_errors)", now=True),
            bad_above(1),
        )
    )
    page.with_panel(
        figure(
            Text("How many DAGs are there?", "What the DAG processor found in the bundle.", NO_AIRFLOW),
            "short",
            Metric("max(airflow_dagbag_size)", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("How many tasks run?", "Tasks that the executor runs now.", NO_AIRFLOW),
            "short",
            Metric("max(airflow_executor_running_tasks)", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("Do tasks wait for a place?", "Tasks that the executor has queued.", NO_AIRFLOW),
            "short",
            Metric("max(airflow_executor_queued_tasks)", now=True),
            bad_above(4, 16),
        )
    )
    page.with_panel(
        figure(
            Text(
                "How many places are free?",
                "Open slots of the executor (AIRFLOW__CORE__PARALLELISM).",
                NO_AIRFLOW,
            ),
            "short",
            Metric("min(airflow_executor_open_slots)", now=True),
            bad_below(1),
        )
    )


def _tasks(page: Dashboard) -> None:
    page.with_row(row("Airflow: what does it do?"))
    page.with_panel(
        bars(
            Text("How do tasks end?", "Tasks ended in the five minutes before each point.", NO_RUN),
            "short",
            Metric(counted("airflow_ti_successes", "5m"), "success"),
            Metric(counted("airflow_ti_failures", "5m"), "failed"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "How many tasks run and wait?",
                "The executor's tasks, and those the scheduler found ready and without a place.",
                NO_AIRFLOW,
            ),
            "short",
            Metric("max(airflow_executor_running_tasks)", "running"),
            Metric("max(airflow_executor_queued_tasks)", "queued"),
            Metric("max(airflow_scheduler_tasks_starving)", "starving"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "How busy is the scheduler?",
                "Mean seconds of one round of its loop. Above a second, runs start late.",
                NO_AIRFLOW,
            ),
            "s",
            Metric(
                "sum(rate(airflow_scheduler_scheduler_loop_duration_sum[$__rate_interval])) / (sum(rate(airflow_scheduler_scheduler_loop_duration_count[$__rate_interval])) > 0)",
                "a round",
            ),
            steps=bad_above(1),
            width=THIRD,
        )
    )


def _jenkins(page: Dashboard) -> None:
    page.with_row(row("Jenkins: does it build?"))
    page.with_panel(
        ranking(
            Text(
                "How did the last builds end?",
                "The newest build of each job: 0 success, 1 unstable, 2 failure, 3 not built, 4 aborted.",
                NO_JENKINS,
            ),
            "short",
            Metric(
                "max by (jenkins_job) (default_jenkins_builds_last_build_result_ordinal)",
                "{{jenkins_job}}",
                now=True,
            ),
            BUILD_RESULTS,
        )
    )
    page.with_panel(
        ranking(
            Text("How long did the last builds take?", "The newest build of each job.", NO_JENKINS),
            "ms",
            Metric(
                "max by (jenkins_job) (default_jenkins_builds_last_build_duration_milliseconds)",
                "{{jenkins_job}}",
                now=True,
            ),
        )
    )
    page.with_panel(
        lines(
            Text(
                "Do builds wait for an executor?",
                "Builds in the queue, executors in use, and how many there are.",
                NO_JENKINS,
            ),
            "short",
            Metric("max(jenkins_queue_size_value)", "queue"),
            Metric("max(jenkins_executor_in_use_value)", "in use"),
            Metric("max(jenkins_executor_count_value)", "executors"),
            width=THIRD,
        )
    )


def _gitea(page: Dashboard) -> None:
    page.with_row(row("Gitea: what does it hold?"))
    page.with_panel(
        figure(
            Text("How many repositories?", "Of all owners.", NO_GITEA),
            "short",
            Metric("max(gitea_repositories)", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("How many webhooks?", "Each repository needs one: by it a push reaches CI.", NO_GITEA),
            "short",
            Metric("max(gitea_webhooks)", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("How many hook deliveries?", "Deliveries of webhooks that Gitea keeps.", NO_GITEA),
            "short",
            Metric("max(gitea_hooktasks)", now=True),
        )
    )
    page.with_panel(
        figure(
            Text("How much memory?", "Resident memory of Gitea.", NO_GITEA),
            "bytes",
            Metric('process_resident_memory_bytes{job="gitea"}', now=True),
            width=HALF,
        )
    )
