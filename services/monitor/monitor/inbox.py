"""The local inbox: what Alertmanager's webhook (version 4) brings, bounded and each alert once."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from monitor.events import EVENTS
from monitor.store import Document, Store

MOST_BYTES = 1_048_576  # of one delivery
MOST_ALERTS = 200  # of one delivery
MOST_LABELS, MOST_LABEL, MOST_TEXT = 40, 200, 2000  # pairs; characters
FIRING, RESOLVED = "firing", "resolved"
TOLD_AGAIN = 25 * 3600.0  # seconds; repeat_interval of prometheus/alertmanager.yml and an hour
NEVER = "0001-"  # how Alertmanager begins a time that is not set
TEXTS = ("summary", "impact", "command", "runbook")


class Unreadable(Exception):
    """A body is no delivery of Alertmanager's webhook; the text says why."""


def receive(store: Store, delivery: Any) -> int:
    """Keep the alerts of a delivery, give their number. Raises Unreadable."""
    alerts = delivery.get("alerts") if isinstance(delivery, dict) else None
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise Unreadable("A delivery of Alertmanager's webhook (version 4) has a list `alerts`.")
    with store.writing():
        for alert in alerts[:MOST_ALERTS]:
            _keep(store, alert)
        store.forget_messages()
    return min(len(alerts), MOST_ALERTS)


def firing(messages: list[Document]) -> list[Document]:
    """What fires now: alerts whose newest message, the first of them, is not `resolved`; events never.

    `messages` are those told within TOLD_AGAIN. Alertmanager forgets what fires when it is stopped, and then
    never says that it is over; what still fires it tells again.
    """
    newest: dict[str, Document] = {}
    for message in messages:
        newest.setdefault(_key(message["name"], message["severity"], message["labels"]), message)
    return [m for m in newest.values() if m["status"] == FIRING and m["name"] not in EVENTS]


def _keep(store: Store, alert: dict[str, Any]) -> None:
    labels, annotations = _pairs(alert.get("labels")), _pairs(alert.get("annotations"), MOST_TEXT)
    name = labels.pop("alertname", "") or "unnamed"
    # An event has happened; that Alertmanager no longer holds it is no news.
    status = RESOLVED if alert.get("status") == RESOLVED and name not in EVENTS else FIRING
    starts = _clean(alert.get("startsAt") or "")
    message = {
        "at": _moment(alert.get("endsAt") if status == RESOLVED else starts),
        "status": status,
        "severity": labels.pop("severity", ""),
        "name": name,
        **{key: annotations.get(key, "") for key in TEXTS},
        "labels": labels,
    }
    message["summary"] = message["summary"] or annotations.get("description", "") or name
    store.add_message(_key(name, message["severity"], labels, starts, status), message)


def _key(*parts: Any) -> str:
    """Alertmanager tells an alert again and again: labels, start and state make it one message."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _pairs(given: Any, most: int = MOST_LABEL) -> dict[str, str]:
    pairs = list(given.items())[:MOST_LABELS] if isinstance(given, dict) else []
    return {_clean(key): _clean(value, most) for key, value in pairs}


def _clean(text: Any, most: int = MOST_LABEL) -> str:
    """Text that can be kept and shown: JSON may hold halves of characters, which no page can."""
    return str(text).encode("utf-8", "replace").decode()[:most]


def utc(text: str) -> str:
    """A moment in ISO 8601 as messages have theirs: UTC, to the second. Raises ValueError, OverflowError."""
    # Not strftime, which writes the year 1 without zeros.
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: Any) -> str:
    """When an alert began or ended; now where it does not say, or says what lies ahead."""
    now = utc(datetime.now(UTC).isoformat())
    try:
        at = utc(str(text))
    except (ValueError, OverflowError):
        return now
    return now if at.startswith(NEVER) or at > now else at
