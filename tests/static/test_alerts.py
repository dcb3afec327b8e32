"""Every alert is told in full, has its page, the threshold of slo.yaml, and tests, firing and quiet."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ANNOTATIONS = {"summary", "impact", "command", "runbook"}
SEVERITIES = {"critical", "warning", "none"}
RECORD = re.compile(r"[a-z_]+:[a-z_]+:[a-z0-9_]+")
# Where slo.yaml says the number of an alert's rule: of its expression, or of its `for` in seconds.
PROMISES = {
    ("ModelTooOld", "critical"): ("freshness_hours", 3600),
    ("DataTooOld", "warning"): ("alerts.data_hours", 3600),
    ("RunOverdue", "critical"): ("longest_seconds.run", 1),
    ("AccuracyLow", "warning"): ("alerts.accuracy.warning", 1),
    ("AccuracyLow", "critical"): ("alerts.accuracy.critical", 1),
    ("LiveAccuracyFalls", "warning"): ("alerts.live_accuracy_lost", 1),
    ("PredictionErrors", "warning"): ("alerts.errors.warning", 1),
    ("PredictionErrors", "critical"): ("alerts.errors.critical", 1),
    ("PredictionsRefused", "warning"): ("alerts.refused", 1),
    ("PredictionsSlow", "warning"): ("alerts.p95_seconds.warning", 1),
    ("PredictionsSlow", "critical"): ("alerts.p95_seconds.critical", 1),
    ("Drift", "warning"): ("drift.psi", 1),
    ("BuildPending", "warning"): ("alerts.build_seconds", 1),
    ("BuildsQueued", "warning"): ("alerts.queued_builds", 1),
    ("PushNotBuilt", "critical"): ("alerts.unbuilt_seconds", 1),
    ("LoopUnwatched", "warning"): ("alerts.unwatched_seconds", 1),
    ("DiskFull", "warning"): ("alerts.disk_free.warning", 1),
    ("DiskFull", "critical"): ("alerts.disk_free.critical", 1),
    ("MemoryLow", "warning"): ("alerts.memory_free.warning", 1),
    ("MemoryLow", "critical"): ("alerts.memory_free.critical", 1),
}
EVENTS = {"LoopFailed"}  # sent by the monitor, not by a rule
BY_TIME = {"BuildPending"}  # what is compared is how long it lasts
# They compare with nothing that is promised: up or down, failed or not.
WITHOUT = {
    *("ServiceDown", "Watchdog", "RunFailed", "PredictionFails", "PredictionLogDrops"),
    *("MessagesNotSent", "SchedulerSilent"),
}


def rules(root: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every rule with the name of its file."""
    return [
        (path.stem, rule)
        for path in sorted((root / "prometheus/rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts(root: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(file, rule) for file, rule in rules(root) if "alert" in rule]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    return {heading.strip().lower() for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def threshold(rule: dict[str, Any]) -> float:
    """What the rule compares with: its first comparison with a number."""
    if rule["alert"] in BY_TIME:
        return seconds(rule["for"])
    return float(re.search(r"[<>] ([\d.]+)", rule["expr"])[1])


def promised(slo: dict[str, Any], place: str) -> float:
    for key in place.split("."):
        slo = slo[key]
    return slo


def test_every_alert_is_told_in_full(root):
    pages = anchors((root / "docs/runbook.md").read_text())
    for _, rule in alerts(root):
        assert set(rule["annotations"]) == ANNOTATIONS, rule["alert"]
        assert rule["labels"]["severity"] in SEVERITIES, rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["alert"].lower() in pages, rule["alert"]
        assert "service" in rule["labels"] or rule["alert"] == "ServiceDown", rule["alert"]  # it has its own


def test_the_runbook_has_no_page_of_an_alert_that_is_gone(root):
    told = {rule["alert"].lower() for _, rule in alerts(root)}
    pages = re.findall(r"^## (\w+)$", (root / "docs/runbook.md").read_text(), re.MULTILINE)
    assert sorted(name.lower() for name in pages) == sorted(told)


def test_every_threshold_is_the_promise_of_slo(root):
    slo = yaml.safe_load((root / "gitea_repos/airflow_dags/slo.yaml").read_text())
    found = {
        (rule["alert"], rule["labels"]["severity"]): threshold(rule)
        for _, rule in alerts(root)
        if rule["alert"] not in WITHOUT
    }
    assert found == {
        key: pytest.approx(promised(slo, place) * unit) for key, (place, unit) in PROMISES.items()
    }
    expressions = " ".join(rule["expr"] for _, rule in alerts(root))
    least = {int(number) for number in re.findall(r"requests:increase2m >= (\d+)", expressions)}
    assert least == {slo["alerts"]["least_requests"]}
    assert f">= {slo['alerts']['live_accuracy_labels']}" in expressions


def test_a_recording_rule_is_named_after_its_service(root):
    for file, rule in rules(root):
        if "record" in rule:
            assert RECORD.fullmatch(rule["record"]), rule["record"]
            assert rule["record"].startswith(f"{file.replace('-', '_')}:"), rule["record"]


def test_every_alert_has_a_test_that_fires_and_one_that_is_quiet(root):
    wanted = {(file, rule["alert"], rule["labels"]["severity"]) for file, rule in alerts(root)}
    fires, quiet = set(), set()
    for path in (root / "prometheus/tests").glob("*.yaml"):
        document = yaml.safe_load(path.read_text())
        assert document["rule_files"] == [f"../rules/{path.name}"]
        for case in document["tests"]:
            alert, severity = case["name"].split()[:2]
            for look in case["promql_expr_test"]:
                assert f'alertname="{alert}"' in look["expr"], case["name"]
                assert 'alertstate="firing"' in look["expr"], case["name"]
                (fires if look["exp_samples"] else quiet).add((path.stem, alert, severity))
    assert fires == quiet == wanted


def test_an_inhibition_names_alerts_that_are_there(root):
    document = yaml.safe_load((root / "prometheus/alertmanager.yml").read_text())
    named = set(re.findall(r"\b[A-Z][a-z]+[A-Za-z]+\b", str(document["inhibit_rules"])))
    assert len(named) > 5
    assert named - EVENTS <= {rule["alert"] for _, rule in alerts(root)}


@pytest.fixture
def tool(root: Path):
    """Runs a checking program in prometheus/; its output. Skips where the machine has it not."""

    def run(name: str, *arguments: str) -> str:
        if not shutil.which(name):
            pytest.skip(f"{name} is not on PATH (Debian: prometheus, prometheus-alertmanager)")
        result = subprocess.run(
            [name, *arguments], cwd=root / "prometheus", capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    return run


def test_promtool_runs_the_tests_of_the_rules(root, tool):
    names = [f"tests/{path.name}" for path in sorted((root / "prometheus/tests").glob("*.yaml"))]
    assert tool("promtool", "test", "rules", *names).count("SUCCESS") == len(names)


def test_promtool_takes_the_scrape_file_and_the_rules(root, tool, tmp_path):
    text = (root / "prometheus/prometheus.yml").read_text()
    copy = tmp_path / "prometheus.yml"
    copy.write_text(text.replace("/etc/prometheus/rules", str(root / "prometheus/rules")))
    assert "FAILED" not in tool("promtool", "check", "config", str(copy))


def test_amtool_takes_alertmanagers_file(tool):
    assert "SUCCESS" in tool("amtool", "check-config", "alertmanager.yml")


def test_every_target_of_a_probe_names_its_service_and_a_module(root):
    modules = yaml.safe_load((root / "prometheus/blackbox.yml").read_text())["modules"]
    jobs = yaml.safe_load((root / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    probes = next(job for job in jobs if job["job_name"] == "blackbox-exporter")["static_configs"]
    for probe in probes:
        assert probe["labels"]["module"] in modules, probe
        service = probe["labels"]["service"].removesuffix("-console")  # a page of another service
        assert f"//{service}:" in probe["targets"][0], probe
