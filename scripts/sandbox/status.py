"""`sandbox status`: services, where the state lies, the served model."""

from typing import Any

from sandbox import console
from sandbox.context import REPOSITORIES, Context


def describe(context: Context) -> dict[str, Any]:
    """The document of `sandbox status -o json`."""
    return {
        "driver": context.driver.name,
        "state": str(context.driver.state),
        "services": [
            {"name": s.name, "url": s.url, "healthy": s.healthy, "detail": s.detail}
            for s in context.driver.services()
        ],
        "repositories": {name: _repository(context, name) for name in REPOSITORIES},
        "model": context.prediction_api.model(),
    }


def _repository(context: Context, name: str) -> dict[str, str]:
    web = f"{context.endpoints.ci.outside}/job/{name}/"
    return {"clone_url": context.endpoints.clone_url(name), "web_url": web}


def show_status(described: dict[str, Any]) -> None:
    """The same for people."""
    rows = [
        [s["name"], "healthy" if s["healthy"] else "DOWN", s["url"], s["detail"]]
        for s in described["services"]
    ]
    console.show(console.table(["Service", "Health", "Address", "Detail"], rows))
    model = described["model"]
    console.say()
    console.say(f"Driver   {described['driver']}, state in {described['state']}")
    console.say(f"Model    {_model_line(model) if model else 'none is served'}")


def _model_line(model: dict[str, str]) -> str:
    code, data = model["git_sha"][:12], model["data_version"]
    return f"{model['name']} version {model['version']}, code {code}, data {data}"
