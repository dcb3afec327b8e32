"""Is everything up, and does the machine have room?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from source.frame import frame, row
from source.limits import used
from source.panels import HALF, THIRD, Text, bad_above, bad_below, bars, figure, lines, ranking, timeline
from source.queries import Metric, counted

NO_NODE = "node-exporter is away"
NO_MYSQL = "MySQL's exporter is away"
NO_MINIO = "MinIO is away, or has not looked over its buckets yet (some minutes after its start)"
NO_REGISTRY = "The registry is away"
NO_SCRAPE = "Prometheus has not looked at anything yet"
ROOT = 'mountpoint="/"'  # of node-exporter's container: Docker's disk


def dashboard() -> Dashboard:
    """Services, machine, MySQL, MinIO, registry."""
    page = frame("platform", "Platform", "Is everything up, and does the machine have room?")
    for build in (_services, _machine, _mysql, _stores, _watchers):
        build(page)
    return page


def _services(page: Dashboard) -> None:
    page.with_row(row("Is everything up?"))
    page.with_panel(
        timeline(
            Text("Which service was up when?", "Green: Prometheus had an answer from it.", NO_SCRAPE),
            Metric("min by (job) (up)", "{{job}}"),
            bad_below(1),
            width=HALF,
        ).height(12)
    )
    page.with_panel(
        timeline(
            Text(
                "Which pages answered when?",
                "What blackbox-exporter asked over HTTP, as a browser or a client would.",
                "blackbox-exporter is away",
            ),
            Metric("min by (instance) (probe_success)", "{{instance}}"),
            bad_below(1),
            width=HALF,
        ).height(12)
    )
    page.with_panel(
        ranking(
            Text(
                "How much memory do services take?",
                "Resident memory of the services that say so themselves. Containers are in `docker stats`: nothing here reads the host's Docker socket.",
                NO_SCRAPE,
            ),
            "bytes",
            Metric("sort_desc(sum by (job) (process_resident_memory_bytes))", "{{job}}", now=True),
            width=HALF,
        )
    )
    page.with_panel(
        lines(
            Text(
                "How much processor time do services take?",
                "Processors used by the services that say so themselves.",
                NO_SCRAPE,
            ),
            "short",
            Metric("sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{job}}"),
        )
    )


def _machine(page: Dashboard) -> None:
    page.with_row(row("Does the machine have room?"))
    page.with_panel(
        figure(
            Text("How full is the disk?", "Docker's disk, on which all volumes and images lie.", NO_NODE),
            "percentunit",
            Metric(
                f"1 - min(node_filesystem_avail_bytes{{{ROOT}}} / node_filesystem_size_bytes{{{ROOT}}})",
                now=True,
            ),
            bad_above(*used("disk_free")),
        )
    )
    page.with_panel(
        figure(
            Text("How much disk is left?", "Of Docker's disk.", NO_NODE),
            "bytes",
            Metric(f"min(node_filesystem_avail_bytes{{{ROOT}}})", now=True),
        )
    )
    page.with_panel(
        figure(
            Text(
                "When is the disk full?",
                "If it goes on as in the last six hours; empty while it does not grow.",
                "At this pace: never",
            ),
            "s",
            Metric(
                f"min(node_filesystem_avail_bytes{{{ROOT}}} / (-deriv(node_filesystem_avail_bytes{{{ROOT}}}[6h]) > 0))",
                now=True,
            ),
            bad_below(86_400, 604_800),
        )
    )
    page.with_panel(
        figure(
            Text("How full is memory?", "What is not available, of all.", NO_NODE),
            "percentunit",
            Metric("1 - min(node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)", now=True),
            bad_above(*used("memory_free")),
        )
    )
    page.with_panel(
        figure(
            Text("How busy are the processors?", "Share of time that they do not idle.", NO_NODE),
            "percentunit",
            Metric('1 - avg(rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))', now=True),
            bad_above(0.8, 0.95),
        )
    )
    page.with_panel(
        figure(
            Text(
                "Was something killed for memory?",
                "Processes that the kernel ended in this time because memory was out, a container's limit included.",
                NO_NODE,
            ),
            "short",
            Metric("sum(increase(node_vmstat_oom_kill[$__range]))", now=True),
            bad_above(1),
        )
    )
    page.with_panel(
        lines(
            Text("How does disk space go?", "Free bytes of Docker's disk.", NO_NODE),
            "bytes",
            Metric(f"min(node_filesystem_avail_bytes{{{ROOT}}})", "free"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text("How does memory go?", "Bytes available to new processes, and all there are.", NO_NODE),
            "bytes",
            Metric("min(node_memory_MemAvailable_bytes)", "available"),
            Metric("max(node_memory_MemTotal_bytes)", "all"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text("What do processors do?", "Share of their time by kind.", NO_NODE),
            "percentunit",
            Metric(
                'avg by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval]))', "{{mode}}"
            ),
            width=THIRD,
        )
    )


def _mysql(page: Dashboard) -> None:
    page.with_row(row("MySQL: MLflow, Airflow, the prediction log"))
    page.with_panel(
        lines(
            Text("Do connections run out?", "Connections now, the most there were, and the limit.", NO_MYSQL),
            "short",
            Metric("max(mysql_global_status_threads_connected)", "now"),
            Metric("max(mysql_global_status_max_used_connections)", "most"),
            Metric("max(mysql_global_variables_max_connections)", "limit"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text("How much is asked?", "Queries a second, and the slow ones of them.", NO_MYSQL),
            "ops",
            Metric("sum(rate(mysql_global_status_queries[$__rate_interval]))", "queries"),
            Metric("sum(rate(mysql_global_status_slow_queries[$__rate_interval]))", "slow"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Is its memory enough?",
                "Share of page reads that came from the buffer pool. Far below 1 it reads the disk all the time.",
                NO_MYSQL,
            ),
            "percentunit",
            Metric(
                "1 - sum(rate(mysql_global_status_innodb_buffer_pool_reads[$__rate_interval])) / (sum(rate(mysql_global_status_innodb_buffer_pool_read_requests[$__rate_interval])) > 0)",
                "from memory",
            ),
            width=THIRD,
        )
    )


def _stores(page: Dashboard) -> None:
    page.with_row(row("MinIO and the registry: data, models, images"))
    page.with_panel(
        lines(
            Text(
                "How much do the buckets hold?",
                "Bytes of all objects: data versions of DVC, artifacts of MLflow, raw data.",
                NO_MINIO,
            ),
            "bytes",
            Metric("max(minio_cluster_usage_total_bytes)", "objects"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Do requests to MinIO fail?",
                "S3 requests a second: all, and those answered with an error.",
                NO_MINIO,
            ),
            "reqps",
            Metric("sum(rate(minio_s3_requests_total[$__rate_interval]))", "all"),
            Metric("sum(rate(minio_s3_requests_errors_total[$__rate_interval]))", "errors"),
            width=THIRD,
        )
    )
    page.with_panel(
        bars(
            Text(
                "What does the registry answer?",
                "Requests in the five minutes before each point by status code.",
                NO_REGISTRY,
            ),
            "short",
            Metric(counted("registry_http_requests_total", "5m", "code"), "{{code}}"),
            width=THIRD,
        )
    )


def _watchers(page: Dashboard) -> None:
    page.with_row(row("Who watches the watchers?"))
    page.with_panel(
        lines(
            Text(
                "How much does Prometheus keep?",
                "Time series in memory. A jump is a label with too many values.",
                NO_SCRAPE,
            ),
            "short",
            Metric("max(prometheus_tsdb_head_series)", "series"),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Does a rule fail?",
                "Evaluations of recording and alerting rules that failed, a second.",
                "No rules are loaded",
            ),
            "ops",
            Metric(
                "sum by (rule_group) (rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))",
                "{{rule_group}}",
            ),
            width=THIRD,
        )
    )
    page.with_panel(
        lines(
            Text(
                "Do messages go out?",
                "Notifications of Alertmanager a second, and those that failed. Nothing is sent while nothing changes.",
                "Alertmanager is away",
            ),
            "ops",
            Metric(
                "sum(rate(alertmanager_notifications_total[$__rate_interval]))",
                "sent",
            ),
            Metric(
                "sum(rate(alertmanager_notifications_failed_total[$__rate_interval]))",
                "failed",
            ),
            width=THIRD,
        )
    )
