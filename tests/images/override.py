"""The Compose file that puts the stand-ins in the place of the images it names."""

from typing import Any

import gitea
import yaml
from recipes import CI, DOCKER, PYTHON, SERVERS

OURS_ON_PYTHON = ("mlflow", "airflow-init", "prediction-api", "monitor")
ABSENT = ("jenkins", "jenkins-agent", "grafana")  # not to be had as packages


def render() -> str:
    services: dict[str, Any] = {server.name: {"image": server.tag} for server in SERVERS}
    services["engine"] = _on("DOCKER_IMAGE", DOCKER.tag)
    services |= {name: _on("PYTHON_IMAGE", PYTHON.tag) for name in OURS_ON_PYTHON}
    services["gitea"] = gitea.block(CI.tag)
    services |= {name: {"profiles": ["absent"]} for name in ABSENT}
    return yaml.safe_dump({"services": services, "configs": gitea.CONFIGS}, sort_keys=False)


def _on(argument: str, tag: str) -> dict[str, Any]:
    return {"build": {"args": {argument: tag}}}
