"""The dashboards as files: name and text of each."""

import json

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from source import drift, loop, model, pipelines, platform, serving

PAGES = (loop, model, serving, drift, pipelines, platform)


def render_all() -> dict[str, str]:
    """Every dashboard of PAGES: `<uid>.json` and its text."""
    built = [page.dashboard() for page in PAGES]
    return {f"{dashboard.build().uid}.json": render(dashboard) for dashboard in built}


def render(dashboard: Dashboard) -> str:
    """Classic JSON with panels numbered in their order, so that a link to a panel stays good."""
    body = json.loads(json.dumps(dashboard.build(), cls=JSONEncoder))
    for number, panel in enumerate(body["panels"], start=1):
        panel["id"] = number
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
