"""Alertmanager's webhook in, a page and JSON out."""

import html
import json
import time

import pytest

from monitor import inbox
from monitor.store import MOST_MESSAGES

# As Alertmanager 0.34 sends it.
DELIVERY = {
    "receiver": "inbox",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "ServiceDown", "severity": "critical", "service": "mlflow"},
            "annotations": {
                "summary": "mlflow is down",
                "impact": "No loop can end.",
                "command": "make logs SERVICE=mlflow",
                "runbook": "docs/runbook.md#servicedown",
            },
            "startsAt": "2026-01-02T03:04:05.678901234Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": "0123456789abcdef",
        }
    ],
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "version": "4",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
}
FIRING = DELIVERY["alerts"][0]
RESOLVED = FIRING | {"status": "resolved", "endsAt": "2026-01-02T03:14:05.1Z"}


def post(monitor, *alerts, **options):
    return monitor.client.post("/alerts", json=DELIVERY | {"alerts": [*alerts]}, **options)


def page(monitor, path="/"):
    with monitor.client.get(path) as answer:
        return answer.get_data(as_text=True)


def test_an_alert_is_a_message(monitor):
    assert post(monitor, FIRING).json == {"kept": 1}
    assert monitor.messages() == [
        {
            "at": "2026-01-02T03:04:05Z",
            "status": "firing",
            "severity": "critical",
            "name": "ServiceDown",
            "summary": "mlflow is down",
            "impact": "No loop can end.",
            "command": "make logs SERVICE=mlflow",
            "runbook": "docs/runbook.md#servicedown",
            "labels": {"service": "mlflow"},
        }
    ]
    shown = page(monitor)
    assert "Firing now" in shown
    assert "make logs SERVICE=mlflow" in shown


def test_told_again_it_stays_one_message_and_ends_once(monitor):
    for alert in (FIRING, FIRING, RESOLVED, RESOLVED):
        post(monitor, alert)
    assert [(m["status"], m["at"]) for m in monitor.messages()] == [
        ("resolved", "2026-01-02T03:14:05Z"),
        ("firing", "2026-01-02T03:04:05Z"),
    ]
    assert "Nothing fires." in page(monitor)
    post(monitor, FIRING | {"startsAt": "2026-01-02T04:00:00Z"})
    assert len(monitor.messages()) == 3
    assert "Firing now" in page(monitor)


def test_an_event_that_alertmanager_no_longer_holds_is_no_news(monitor):
    event = {"labels": {"alertname": "LoopServed", "severity": "info"}, "startsAt": "2026-01-01T00:00:00Z"}
    post(monitor, event | {"status": "firing"})
    post(monitor, event | {"status": "resolved", "endsAt": "2026-01-01T00:15:00Z"})
    assert [m["status"] for m in monitor.messages()] == ["firing"]
    assert "Nothing fires." in page(monitor)


def test_messages_by_name_and_time(monitor):
    post(monitor, FIRING, FIRING | {"labels": {"alertname": "Other"}, "startsAt": "2026-02-01T00:00:00Z"})

    def names(query):
        return [m["name"] for m in monitor.client.get(f"/messages?{query}").json["messages"]]

    assert names("") == ["Other", "ServiceDown"]
    assert names("name=Other") == ["Other"]
    assert names("since=2026-01-15T00:00:00Z") == ["Other"]
    assert names("since=2026-01-02T04:04:05%2B01:00") == ["Other", "ServiceDown"]
    assert monitor.client.get("/messages?since=yesterday").status_code == 400


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}"


def test_no_text_of_a_message_becomes_html(monitor):
    labels = {"alertname": EVIL, "severity": EVIL, EVIL: EVIL}
    annotations = dict.fromkeys(("summary", "impact", "command", "runbook"), EVIL)
    post(monitor, {"status": "firing", "labels": labels, "annotations": annotations, "startsAt": EVIL})
    shown = page(monitor)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "49" not in shown.replace(str(monitor.messages()[0]["at"]), "")
    assert html.unescape(shown).count("<script>alert(1)</script>") >= 7
    assert page(monitor, "/?name=%3Cscript%3Ealert(2)%3C/script%3E").count("alert(2)") == 0


def test_the_page_needs_no_other_host(monitor):
    post(monitor, FIRING)
    answer = monitor.client.get("/")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "://" not in answer.get_data(as_text=True)
    assert "style=" not in answer.get_data(as_text=True)
    assert "url(" not in page(monitor, "/static/inbox.css")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 400),
        (b"not json", "application/json", 400),
        (b'{"alerts": [1]}', "application/json", 400),
        (b'{"alerts": []}', "text/plain", 415),
        (b'{"alerts": []}', "application/x-www-form-urlencoded", 415),
        (b'{"alerts": []}', "application/json", 200),
    ],
)
def test_what_is_no_delivery_is_refused(monitor, body, kind, status):
    assert monitor.client.post("/alerts", data=body, content_type=kind).status_code == status
    assert monitor.messages() == []


def test_size_and_number_are_bounded(monitor):
    big = json.dumps({"alerts": [], "x": "x" * inbox.MOST_BYTES}).encode()
    answer = monitor.client.post("/alerts", data=big, content_type="application/json")
    assert answer.status_code == 413
    many = [FIRING | {"labels": {"alertname": f"A{n}"}} for n in range(inbox.MOST_ALERTS + 5)]
    assert post(monitor, *many).json == {"kept": inbox.MOST_ALERTS}
    long = {f"label{n}": "x" * 5000 for n in range(100)}
    post(monitor, FIRING | {"labels": long, "annotations": {"summary": "y" * 9000}})
    newest = monitor.messages()[0]
    assert len(newest["labels"]) <= inbox.MOST_LABELS
    assert {len(text) for text in newest["labels"].values()} == {inbox.MOST_LABEL}
    assert len(newest["summary"]) == inbox.MOST_TEXT


def test_the_newest_thousand_are_kept(monitor):
    with monitor.store.writing():
        for n in range(MOST_MESSAGES + 30):
            inbox.receive(monitor.store, {"alerts": [FIRING | {"labels": {"alertname": f"A{n}"}}]})
    monitor.look()
    kept = monitor.messages()
    assert len(kept) == MOST_MESSAGES
    assert kept[0]["name"] == f"A{MOST_MESSAGES + 29}"


def test_odd_pieces_do_no_harm(monitor):
    odd = {"status": 7, "labels": ["x"], "annotations": None, "startsAt": None, "endsAt": {}}
    assert post(monitor, odd, {"startsAt": "9999-12-31T23:59:59Z"}).status_code == 200
    assert {message["name"] for message in monitor.messages()} == {"unnamed"}
    assert "unnamed" in page(monitor)


@pytest.mark.parametrize(
    "odd",
    [
        {"startsAt": "0100-01-01T00:00:00Z"},
        {"status": "resolved", "endsAt": "0001-01-01T00:00:00Z"},
        {"startsAt": "0001-01-01T00:00:00+14:00"},
        {"annotations": {"summary": "\ud800"}, "labels": {"alertname": "\udfff"}},
    ],
)
def test_no_message_breaks_the_page(monitor, odd):
    assert post(monitor, FIRING | odd).status_code == 200
    assert monitor.client.get("/").status_code == 200
    assert len(monitor.messages()) == 1


def test_a_moment_before_all_moments_is_refused(monitor):
    assert monitor.client.get("/messages?since=0001-01-01T00:00:00%2B14:00").status_code == 400


def test_what_is_told_no_more_fires_no_more(monitor, monkeypatch):
    """Alertmanager was stopped while it fired: nobody says that it is over."""
    post(monitor, FIRING)
    assert len(inbox.firing(monitor.store.messages(told_since=time.time() - inbox.TOLD_AGAIN))) == 1
    later = time.time() + inbox.TOLD_AGAIN + 1
    assert not inbox.firing(monitor.store.messages(told_since=later - inbox.TOLD_AGAIN))
    monkeypatch.setattr("monitor.store.time.time", lambda: later)
    post(monitor, FIRING)
    assert len(inbox.firing(monitor.store.messages(told_since=later - inbox.TOLD_AGAIN))) == 1
    assert len(monitor.messages()) == 1
