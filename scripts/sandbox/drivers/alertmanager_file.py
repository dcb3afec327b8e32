"""Alertmanager's file: prometheus/alertmanager.yml, completed with Slack and e-mail of .env."""

from typing import Any

import yaml

from sandbox.settings import ROOT, Settings

FILE = ROOT / "prometheus" / "alertmanager.yml"
TOLD = ("inbox", "events")  # the receivers whose messages people get
TITLE = (
    "{{ if eq .Status `resolved` }}Resolved{{ else }}{{ .CommonLabels.severity }}{{ end }}: "
    "{{ .CommonLabels.alertname }}"
)
TEXT = (
    "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.impact }}\n"
    "Command: {{ .Annotations.command }}\nRunbook: {{ .Annotations.runbook }}\n\n{{ end }}"
)


def alertmanager_file(settings: Settings, inbox: str | None) -> str:
    """The file as text, with secrets. `inbox` is the address of the monitor, None where there is none."""
    document = yaml.safe_load(FILE.read_text())
    for receiver in document["receivers"]:
        if receiver["name"] in TOLD:
            _complete(receiver, settings, inbox)
    return yaml.safe_dump(document, sort_keys=False)


def _complete(receiver: dict[str, Any], settings: Settings, inbox: str | None) -> None:
    resolved = receiver["webhook_configs"][0]["send_resolved"]
    receiver["webhook_configs"][0]["url"] = f"{inbox}/alerts"
    if inbox is None:
        del receiver["webhook_configs"]
    if settings.slack_webhook_url:
        receiver["slack_configs"] = [_slack(settings) | {"send_resolved": resolved}]
    if settings.smtp_smarthost:
        receiver["email_configs"] = [_email(settings) | {"send_resolved": resolved}]


def _slack(settings: Settings) -> dict[str, Any]:
    told = {"api_url": settings.slack_webhook_url, "title": TITLE, "text": TEXT}
    return told | ({"http_config": {"proxy_url": settings.https_proxy}} if settings.https_proxy else {})


def _email(settings: Settings) -> dict[str, Any]:
    login = {"auth_username": settings.smtp_user, "auth_password": settings.smtp_password}
    return {
        "smarthost": settings.smtp_smarthost,
        "from": settings.smtp_from,
        "to": settings.smtp_to,
        "headers": {"Subject": TITLE},
        "html": "",
        "text": TEXT,
        **(login if settings.smtp_user else {}),
    }
