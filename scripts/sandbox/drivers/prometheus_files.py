"""Prometheus and Alertmanager as processes of the embedded driver, where their programs are on PATH."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from sandbox.drivers.alertmanager_file import alertmanager_file
from sandbox.settings import ROOT, Settings, write_private

FOLDER = ROOT / "prometheus"
PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("alertmanager", "prometheus-alertmanager")}
LEAST = {"prometheus": (2, 42)}  # `keep_firing_for` of the rules; an older one is none
VERSION = re.compile(r"version (\d+)\.(\d+)")
MEMORY_LIMITS = {
    "prometheus": "96MiB",
    "alertmanager": "32MiB",
}  # Go collects its garbage sooner; no hard limit


@dataclass(frozen=True)
class Server:
    """One of the two, as it is to be run."""

    name: str
    argv: list[str]
    url: str
    health: str
    environment: dict[str, str]


def present() -> tuple[str, ...]:
    """Which of the two this machine has."""
    return tuple(name for name in PROGRAMS if _program(name))


def alertmanager_url(settings: Settings) -> str:
    """Where Alertmanager listens; empty where this machine has none."""
    return _url(settings, "alertmanager") if "alertmanager" in present() else ""


def servers(settings: Settings, urls: Mapping[str, str], state: Path) -> list[Server]:
    """The servers that this machine has; `urls` are the addresses of the other services by name.

    Their environment holds a digest of what they read: with other files they are other processes.
    """
    ours = {name: _url(settings, name) for name in present()}
    files = _files(settings, {**urls, **ours})
    digests = {
        "prometheus": _digest(files["prometheus"], *_rules()),
        "alertmanager": _digest(files["alertmanager"]),
    }
    return [
        Server(
            name, [str(_program(name)), *_options(name, settings, state)], url, "/-/ready",
            {"SANDBOX_FILES": digests[name], "GOMEMLIMIT": MEMORY_LIMITS[name]},
        )
        for name, url in ours.items()
    ]  # fmt: skip


def write_files(settings: Settings, urls: Mapping[str, str], state: Path) -> None:
    """Write what the servers read, and make their folders; nothing where this machine has neither."""
    ours = {name: _url(settings, name) for name in present()}
    for name in ours:
        (state / name).mkdir(parents=True, exist_ok=True)
        write_private(_file(name, state), _files(settings, {**urls, **ours})[name])


def scrape_file(urls: Mapping[str, str]) -> str:
    """prometheus.yml with the jobs whose service is in `urls`, at its address there."""
    document = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    document["rule_files"] = [str(FOLDER / "rules" / "*.yaml")]
    managers = [urls["alertmanager"]] if "alertmanager" in urls else []
    document["alerting"]["alertmanagers"] = [_static(url) for url in managers]
    document["scrape_configs"] = [
        {**job, **_static(urls[job["job_name"]])}
        for job in document["scrape_configs"]
        if job["job_name"] in urls
    ]
    return yaml.safe_dump(document, sort_keys=False)


def _static(url: str) -> dict[str, Any]:
    return {"static_configs": [{"targets": [urlsplit(url).netloc]}]}


def _files(settings: Settings, urls: Mapping[str, str]) -> dict[str, str]:
    return {
        "prometheus": scrape_file(urls),
        "alertmanager": alertmanager_file(settings, urls.get("monitor")),
    }


def _file(name: str, state: Path) -> Path:
    return state / name / f"{name}.yml"


def _options(name: str, settings: Settings, state: Path) -> list[str]:
    url = _url(settings, name)
    common = [
        f"--config.file={_file(name, state)}",
        f"--web.listen-address={urlsplit(url).netloc}",
        f"--web.external-url={url}",  # of the links in its messages
    ]
    if name == "alertmanager":
        return [*common, f"--storage.path={state / name / 'data'}", "--cluster.listen-address="]
    return [
        *common,
        f"--storage.tsdb.path={state / name / 'data'}",
        f"--storage.tsdb.retention.time={settings.prometheus_days}d",
        f"--storage.tsdb.retention.size={settings.prometheus_gb}GB",
    ]


def _url(settings: Settings, name: str) -> str:
    return f"http://127.0.0.1:{getattr(settings, f'{name}_port')}"


def _program(name: str) -> str | None:
    found = next(filter(None, map(shutil.which, PROGRAMS[name])), None)
    return found if found and (name not in LEAST or _is_new_enough(found, LEAST[name])) else None


@cache
def _is_new_enough(program: str, least: tuple[int, int]) -> bool:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = VERSION.search(said.stdout + said.stderr)
    return version is not None and (int(version[1]), int(version[2])) >= least


def _rules() -> list[str]:
    return [path.read_text() for path in sorted((FOLDER / "rules").glob("*.yaml"))]


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
