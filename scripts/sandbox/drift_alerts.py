"""Alerts about drift that fire in Prometheus, where one runs."""

from sandbox import console
from sandbox.context import Context
from sandbox.http import ApiError, Http
from sandbox.wait import Deadline, pause

LOOK_EVERY = 2.0  # seconds
WORD = "drift"  # in the name of each such alert


def firing(context: Context, seconds: float = 0.0) -> list[str]:
    """Name and summary of each such alert; empty where there is none in that time, or no Prometheus."""
    prometheus = next((each for each in context.driver.services() if each.name == "prometheus"), None)
    if not (prometheus and prometheus.url):
        return []
    http, deadline = Http("prometheus", prometheus.url), Deadline(seconds)
    if seconds:
        console.step(f"waits for the alert, {seconds:.0f} s at most")
    try:
        while not (found := _ask(http)) and not deadline.passed():
            pause(LOOK_EVERY)
    except (ApiError, KeyError, TypeError):
        return []
    return found


def _ask(prometheus: Http) -> list[str]:
    found = prometheus.get("/api/v1/alerts")["data"]["alerts"]
    ours = [each for each in found if each["state"] == "firing" and _is_ours(each)]
    return sorted({f"{each['labels']['alertname']}: {_summary(each)}" for each in ours})


def _is_ours(alert: dict[str, dict[str, str]]) -> bool:
    return WORD in alert["labels"].get("alertname", "").lower()


def _summary(alert: dict[str, dict[str, str]]) -> str:
    return alert.get("annotations", {}).get("summary", "")
