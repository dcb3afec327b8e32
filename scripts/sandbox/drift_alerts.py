"""Alerts about drift that fire in Prometheus, where one runs."""

from sandbox.context import Context
from sandbox.http import ApiError, Http

WORD = "drift"  # in the name of each such alert


def firing(context: Context) -> list[str]:
    """Name and summary of each such alert; empty where there is none, or no Prometheus."""
    prometheus = next((each for each in context.driver.services() if each.name == "prometheus"), None)
    if not (prometheus and prometheus.url):
        return []
    try:
        found = Http("prometheus", prometheus.url).get("/api/v1/alerts")["data"]["alerts"]
    except (ApiError, KeyError, TypeError):
        return []
    ours = [each for each in found if each["state"] == "firing" and _is_ours(each)]
    return sorted({f"{each['labels']['alertname']}: {_summary(each)}" for each in ours})


def _is_ours(alert: dict[str, dict[str, str]]) -> bool:
    return WORD in alert["labels"].get("alertname", "").lower()


def _summary(alert: dict[str, dict[str, str]]) -> str:
    return alert.get("annotations", {}).get("summary", "")
