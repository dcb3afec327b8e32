"""The dashboards: files equal to their source, complete panels, PromQL that parses, metrics that exist."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from dashboardfiles import UIDS, panels, queries, read_dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from source.files import render_all

SOURCES = {"prometheus": "prometheus", "mysql": "mlflow"}  # uid of each kind
# Names that no service of ours declares, by who does.
UPSTREAM = {
    "Prometheus": "up ALERTS prometheus_tsdb_head_series prometheus_rule_evaluation_failures_total",
    "every Go or Python client": "process_resident_memory_bytes process_cpu_seconds_total",
    "Alertmanager": "alertmanager_notifications_total alertmanager_notifications_failed_total",
    "blackbox-exporter": "probe_success",
    "node-exporter": "node_filesystem_avail_bytes node_filesystem_size_bytes node_memory_MemAvailable_bytes"
    " node_memory_MemTotal_bytes node_cpu_seconds_total node_vmstat_oom_kill",
    "mysqld-exporter": "mysql_global_status_threads_connected mysql_global_status_max_used_connections"
    " mysql_global_variables_max_connections mysql_global_status_queries mysql_global_status_slow_queries"
    " mysql_global_status_innodb_buffer_pool_reads mysql_global_status_innodb_buffer_pool_read_requests",
    "MinIO": "minio_cluster_usage_total_bytes minio_s3_requests_total minio_s3_requests_errors_total",
    "the registry": "registry_http_requests_total",
    "Airflow, through statsd-exporter without a mapping": "airflow_scheduler_heartbeat airflow_dagbag_size"
    " airflow_dag_processing_import_errors airflow_executor_running_tasks airflow_executor_queued_tasks"
    " airflow_executor_open_slots airflow_ti_successes airflow_ti_failures airflow_scheduler_tasks_starving"
    " airflow_scheduler_scheduler_loop_duration_sum airflow_scheduler_scheduler_loop_duration_count",
    "Jenkins' Prometheus plugin": "default_jenkins_builds_last_build_result_ordinal jenkins_queue_size_value"
    " default_jenkins_builds_last_build_duration_milliseconds jenkins_executor_in_use_value"
    " jenkins_executor_count_value",
    "Gitea": "gitea_repositories gitea_webhooks gitea_hooktasks",
}


@pytest.fixture(scope="module")
def dashboards(root) -> dict[str, dict[str, Any]]:
    return read_dashboards(root)


def test_files_are_what_their_source_renders(root):
    rendered = render_all()
    assert set(rendered) == {f"{uid}.json" for uid in UIDS}
    for name, text in rendered.items():
        assert (root / "grafana/dashboards" / name).read_text() == text, f"{name}: run make dashboards"


def test_a_file_is_classic_json_of_its_uid(dashboards):
    for uid, dashboard in dashboards.items():
        assert dashboard["uid"] == uid
        assert dashboard["schemaVersion"] >= 41
        assert not {"spec", "kind", "apiVersion", "__inputs", "id"} & set(dashboard), uid
        assert dashboard["panels"]
        assert "${DS_" not in json.dumps(dashboard)


def lost(value: Any, kept: Any) -> Iterator[str]:
    """Keys that the library's model of a dashboard does not know."""
    if isinstance(value, dict) and isinstance(kept, dict):
        yield from (key for key in value if key not in kept)
        for key in value.keys() & kept.keys():
            yield from (f"{key}.{rest}" for rest in lost(value[key], kept[key]))
    elif isinstance(value, list) and isinstance(kept, list):
        assert len(value) == len(kept)
        for one, other in zip(value, kept, strict=True):
            yield from lost(one, other)


def as_the_library_reads(dashboard: dict[str, Any]) -> dict[str, Any]:
    register_default_plugins()
    return json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))


# Of Grafana's plugins for Prometheus' marks and for MySQL, of which the library has no model.
UNKNOWN = {
    "useValueForTime",
    "titleFormat",
    "textFormat",
    "tagKeys",
    "step",
    "rawSql",
    "rawQuery",
    "editorMode",
}


def test_the_librarys_model_of_a_dashboard_knows_every_key(dashboards):
    for uid, dashboard in dashboards.items():
        found = set(lost(dashboard, as_the_library_reads(dashboard)))
        assert {name for name in found if name.split(".")[-1] not in UNKNOWN} == set(), uid
    broken = dashboards["loop"] | {"pannels": []}
    assert "pannels" in set(lost(broken, as_the_library_reads(broken)))


def incomplete(panel: dict[str, Any]) -> list[str]:
    """What a panel does not say."""
    defaults = panel["fieldConfig"]["defaults"]
    said = {
        "title": panel.get("title"),
        "description": panel.get("description"),
        "targets": panel.get("targets"),
    }
    said |= {"unit": defaults.get("unit"), "noValue": defaults.get("noValue"), "id": panel.get("id")}
    missing = [name for name, value in said.items() if not value]
    asks = panel["title"].endswith("?")
    return missing + ([] if asks else ["question"])


def test_every_panel_asks_and_says_its_unit_its_meaning_and_why_it_is_empty(dashboards):
    found = {(uid, p["title"]): incomplete(p) for uid, d in dashboards.items() for p in panels(d)}
    assert len(found) > 80
    assert {name: missing for name, missing in found.items() if missing} == {}
    panel = panels(dashboards["loop"])[0]
    assert incomplete(panel | {"description": ""}) == ["description"]
    assert incomplete(panel | {"title": "Deployments"}) == ["question"]


def test_ids_and_titles_of_panels_are_unique(dashboards):
    for uid, dashboard in dashboards.items():
        ids = [panel["id"] for panel in dashboard["panels"]]
        titles = [panel["title"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids)), uid
        assert len(titles) == len(set(titles)), uid


def test_panels_do_not_lie_on_each_other(dashboards):
    for uid, dashboard in dashboards.items():
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert at["x"] + at["w"] <= 24, (uid, panel["title"])
            assert not cells & taken, (uid, panel["title"])
            taken |= cells


def references(value: Any) -> Iterator[Any]:
    """Every value of a key `datasource`, however deep."""
    if isinstance(value, dict):
        yield from (inner for key, inner in value.items() if key == "datasource")
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_datasources_are_named_by_type_and_uid(root, dashboards):
    files = (root / "grafana/provisioning/datasources").glob("*.yaml")
    given = {d["uid"]: d for f in files for d in yaml.safe_load(f.read_text())["datasources"]}
    assert set(given) == {"prometheus", "mlflow", "alertmanager"}
    assert all(source["editable"] is False and "password" not in source for source in given.values())
    for uid, dashboard in dashboards.items():
        found = list(references(dashboard))
        assert len(found) > 10
        for reference in found:
            assert SOURCES.get(reference["type"]) == reference["uid"], uid
            assert given[reference["uid"]]["type"] == reference["type"]


def names(node: Any) -> set[str]:
    """Metrics that a parsed PromQL expression reads."""
    if isinstance(node, promql_parser.VectorSelector):
        return {node.name or str(node)}
    inner = [getattr(node, part, None) for part in ("lhs", "rhs", "expr", "vector_selector", "selector")]
    found = set().union(*(names(part) for part in inner if part is not None))
    return found.union(*(names(argument) for argument in getattr(node, "args", None) or []))


def test_names_finds_the_metrics_of_an_expression():
    expr = "histogram_quantile(0.5, sum by (le) (rate(a_bucket[1m]))) / (b offset 1h > 0) or -c"
    assert names(promql_parser.parse(expr)) == {"a_bucket", "b", "c"}


def declared(root) -> set[str]:
    """Metrics of our services: words of their code, and of the contract where it names them."""
    code = [p.read_text() for p in (root / "services").glob("*/*/*.py") if p.parent.name != "tests"]
    contract = (root / "docs/architecture.md").read_text()
    found = set(re.findall(r"\b(?:prediction_api|loop)_[a-z_]+", "\n".join([*code, contract])))
    return found | {
        f"loop_served_{word}_timestamp_seconds" for word in re.findall(r"`…_([a-z]+)_…`", contract)
    }


def test_every_promql_parses_and_names_metrics_that_exist(root):
    known = declared(root).union(*(listed.split() for listed in UPSTREAM.values()))
    read: set[str] = set()
    for query in queries(root):
        if not query.sql:
            read |= names(promql_parser.parse(query.promql))
    unknown = {n for n in read if n not in known and re.sub(r"_(bucket|sum|count)$", "", n) not in known}
    assert unknown == set(), "Declare it in a service, or add it to UPSTREAM"
    assert len(read) > 60
    listed = {name for names_ in UPSTREAM.values() for name in names_.split()}
    assert listed - read == set(), "UPSTREAM names what no panel reads"


def test_empty_panels_are_not_filled_with_made_up_zeros(root):
    assert [query for query in queries(root) if "vector(0)" in query.text] == []


def test_links_between_dashboards_need_no_address(dashboards):
    for uid, dashboard in dashboards.items():
        kinds = {link["type"]: link for link in dashboard["links"]}
        assert kinds["dashboards"]["tags"] == dashboard["tags"] == ["sandbox"], uid
        assert kinds["link"]["url"].startswith("/d/")
        assert "127.0.0.1" not in json.dumps(dashboard), uid


def test_the_home_dashboard_and_the_mounted_folders_are_there(root):
    text = (root / "compose/compose.monitoring.yaml").read_text()
    compose = yaml.safe_load(text)
    grafana = compose["services"]["grafana"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (root / home.replace("/etc/grafana", "grafana")).is_file()
    providers = yaml.safe_load((root / "grafana/provisioning/dashboards/files.yaml").read_text())["providers"]
    mounts = {str(volume).split(":")[1] for volume in grafana["volumes"]} | {"/etc/grafana/pages"}
    assert {provider["options"]["path"] for provider in providers} <= mounts
    assert not any(provider["allowUiUpdates"] for provider in providers)


def test_the_page_of_addresses_is_a_dashboard(root):
    """Compose puts the ports in."""
    text = yaml.safe_load((root / "compose/compose.monitoring.yaml").read_text())
    page = json.loads(re.sub(r"\$\{\w+:\?\}", "8800", text["configs"]["grafana-pages"]["content"]))
    assert page["uid"] == "pages"
    links = page["panels"][0]["options"]["content"].splitlines()
    assert len(links) >= 8
    assert all(re.match(r"\* \[[A-Z].*\]\(http://127\.0\.0\.1:8800\S*\): ", link) for link in links)
