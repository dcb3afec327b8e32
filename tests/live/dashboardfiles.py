"""The dashboards as the tests read them: every query of every panel, variable and mark."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UIDS = ("loop", "model", "serving", "drift", "pipelines", "platform")
# What Grafana puts in. Spans are the scrape interval times the numbers Grafana uses, or the time shown.
SPANS = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "1h"}


@dataclass(frozen=True)
class Query:
    """One query as the file has it."""

    uid: str
    panel: str
    ref: str
    text: str
    sql: bool = False
    now: bool = False  # asked for the newest value alone

    @property
    def promql(self) -> str:
        """PromQL with Grafana's spans put in."""
        text = self.text
        for name, value in SPANS.items():
            text = text.replace(name, value)
        return text


def read_dashboards(root: Path) -> dict[str, dict[str, Any]]:
    """The parsed files by uid."""
    return {uid: json.loads((root / f"grafana/dashboards/{uid}.json").read_text()) for uid in UIDS}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels without headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(root: Path) -> Iterator[Query]:
    """Every query of every panel, then the marks and the choices of every dashboard."""
    for uid, dashboard in read_dashboards(root).items():
        for panel in panels(dashboard):
            yield from (_query(uid, panel["title"], target) for target in panel["targets"])
        for mark in dashboard["annotations"]["list"]:
            yield Query(uid, f"mark {mark['name']}", "A", mark["expr"])
        for choice in dashboard["templating"].get("list", []):
            yield Query(uid, f"choice ${choice['name']}", "A", choice["query"], sql=True)


def _query(uid: str, title: str, target: dict[str, Any]) -> Query:
    if "rawSql" in target:
        return Query(uid, title, target["refId"], target["rawSql"], sql=True)
    return Query(uid, title, target["refId"], target["expr"], now=target["instant"])
