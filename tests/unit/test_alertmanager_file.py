"""Alertmanager's file and Prometheus' scrape file, as the tool writes them."""

import shutil
import subprocess
from dataclasses import replace

import pytest
import yaml

from sandbox.drivers import prometheus_files
from sandbox.drivers.alertmanager_file import alertmanager_file
from sandbox.drivers.prometheus_files import scrape_file

MAIL = {
    "slack_webhook_url": "http://127.0.0.1:9/hook",
    "smtp_smarthost": "127.0.0.1:25",
    "smtp_from": "sandbox@example.org",
    "smtp_to": "ops@example.org",
    "smtp_user": "ops",
    "smtp_password": 'a "$word"',
}
URLS = {
    "prediction-api": "http://127.0.0.1:1",
    "prometheus": "http://127.0.0.1:2",
    "mlflow": "http://127.0.0.1:3",
}


def receivers(text):
    return {each["name"]: each for each in yaml.safe_load(text)["receivers"]}


def test_without_an_account_the_inbox_alone_is_told(settings):
    found = receivers(alertmanager_file(settings, "http://127.0.0.1:8813"))
    hook = {"url": "http://127.0.0.1:8813/alerts", "send_resolved": True, "max_alerts": 200}
    assert found["inbox"] == {"name": "inbox", "webhook_configs": [hook]}
    assert found["events"]["webhook_configs"][0]["send_resolved"] is False
    assert found["nobody"] == {"name": "nobody"}


def test_slack_and_mail_of_env_are_told_beside_it(settings):
    inbox = receivers(alertmanager_file(replace(settings, **MAIL), "http://127.0.0.1:8813"))["inbox"]
    assert inbox["slack_configs"][0]["api_url"] == MAIL["slack_webhook_url"]
    assert inbox["email_configs"][0]["auth_password"] == MAIL["smtp_password"]
    for word in ("summary", "impact", "command", "runbook"):
        assert f".Annotations.{word}" in inbox["email_configs"][0]["text"]
        assert f".Annotations.{word}" in inbox["slack_configs"][0]["text"]


@pytest.mark.parametrize("inbox", ["http://127.0.0.1:8813", None])
@pytest.mark.parametrize("accounts", [MAIL, {}])
def test_amtool_takes_every_form(settings, tmp_path, inbox, accounts):
    if not shutil.which("amtool"):
        pytest.skip("amtool is not on PATH (Debian: prometheus-alertmanager)")
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_file(replace(settings, **accounts), inbox))
    result = subprocess.run(["amtool", "check-config", str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_jobs_of_what_does_not_run_are_left_out(root):
    document = yaml.safe_load(scrape_file(URLS))
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in document["scrape_configs"]}
    assert targets == {"prediction-api": ["127.0.0.1:1"], "prometheus": ["127.0.0.1:2"]}
    assert document["rule_files"] == [str(root / "prometheus/rules/*.yaml")]
    assert document["alerting"]["alertmanagers"] == []
    told = yaml.safe_load(scrape_file(URLS | {"alertmanager": "http://127.0.0.1:4"}))["alerting"]
    assert told["alertmanagers"][0]["static_configs"] == [{"targets": ["127.0.0.1:4"]}]


@pytest.mark.parametrize(
    ("said", "taken"), [("2.42.0+ds", True), ("3.14.0", True), ("2.31.2", False), ("x", False)]
)
def test_a_prometheus_that_does_not_know_the_rules_is_none(tmp_path, monkeypatch, said, taken):
    program = tmp_path / "prometheus"
    program.write_text(f"#!/bin/sh\necho 'prometheus, version {said} (branch: HEAD)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert ("prometheus" in prometheus_files.present()) is taken
