"""`sandbox status`: services, where the state lies, the served model."""

from typing import Any

from sandbox import console
from sandbox.clients.prediction_api import served
from sandbox.context import Context
from sandbox.drivers.base import Service
from sandbox.key_figures import in_words, key_figures
from sandbox.settings import REPOSITORIES


def describe(context: Context) -> dict[str, Any]:
    """The document of `sandbox status -o json`."""
    services = context.driver.services()
    return {
        "driver": context.driver.name,
        "state": context.driver.where,
        "services": [
            {"name": s.name, "url": s.url, "healthy": s.healthy, "detail": s.detail} for s in services
        ],
        "repositories": {name: _repository(context, name) for name in REPOSITORIES},
        **_served(context, services),
        "figures": found.as_json() if (found := key_figures(services)) else None,
    }


def _served(context: Context, services: list[Service]) -> dict[str, Any]:
    """What our API serves, who challenges, what is pinned; another program on its port is not asked."""
    running = any(s.running for s in services if s.name == "prediction-api")
    about = context.prediction_api.about() if running else None
    beside = about or {}
    return {"model": served(about), "challenger": beside.get("challenger"), "pin": beside.get("pin")}


def _repository(context: Context, name: str) -> dict[str, str]:
    return {
        "clone_url": context.endpoints.clone_url(name),
        "web_url": context.endpoints.web_url(name),
    }


def show_status(described: dict[str, Any]) -> None:
    """The same for people."""
    rows = [
        [s["name"], "healthy" if s["healthy"] else "DOWN", s["url"], s["detail"]]
        for s in described["services"]
    ]
    console.show(console.table(["Service", "Health", "Address", "Detail"], rows))
    if not any(s["healthy"] and "ended" not in s["detail"] for s in described["services"]):
        console.note("nothing runs; start it with: make up")
    model = described["model"]
    console.say()
    console.say(f"Driver   {described['driver']}, state in {described['state']}")
    pin = f" (MODEL_PIN={described['pin']})" if described["pin"] else ""
    console.say(f"Model    {_model_line(model) if model else 'none is served'}{pin}")
    if found := described["figures"]:
        console.say(f"Figures  {in_words(found)}")
    if challenger := described["challenger"]:
        share = "in the shadow" if challenger["mode"] == "shadow" else f"{challenger['percent']:g} %"
        console.say(f"Beside   version {challenger['version']}, {share}; end it: make challenge OFF=1")


def _model_line(model: dict[str, str]) -> str:
    code, data = model["git_sha"][:12], model["data_version"]
    return f"{model['name']} version {model['version']}, code {code}, data {data}"
