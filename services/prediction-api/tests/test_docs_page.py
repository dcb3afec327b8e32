"""The page of the API: complete, from this process alone, and shown by a real browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import models
import pytest
from servers import Api, Mlflow

from prediction_api.openapi import document
from prediction_api.settings import Settings

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: Without these a browser asks its maker for updates and the like.
QUIET = "--disable-background-networking --disable-component-update --disable-sync --no-first-run"
REQUEST = "URL_REQUEST_START_JOB"
#: What the page needs.
PAGE = [f"docs/{name}" for name in ("page.css", "page.js", "swagger-ui-bundle.js", "swagger-ui.css")]


def test_the_page_and_all_that_it_names_are_here(client: Any) -> None:
    page = client.get("/docs")
    assert page.content_type.startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 5
    for name in named:
        assert "//" not in name
        answer = client.get(f"/{name}")
        assert (answer.status_code, bool(answer.data)) == (200, True), name


@pytest.mark.parametrize("route", ["/docs", "/docs/page.js", "/docs/swagger-ui.css"])
def test_a_browser_is_told_to_ask_no_other_host(client: Any, route: str) -> None:
    policy = client.get(route).headers["Content-Security-Policy"]
    sources = {source for rule in policy.split("; ") for source in rule.split()[1:]}
    assert policy.startswith("default-src 'none';")
    assert sources == {"'none'", "'self'", "data:"}


@pytest.mark.parametrize("name", ["swagger-ui.js", "..%2f__init__.py", "index.html", "nothing"])
def test_no_other_file_is_given_away(client: Any, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium on PATH: apt-get install chromium")
def test_a_browser_shows_every_operation_and_asks_nobody_else(
    start_api: Callable[..., Api], mlflow_server: Mlflow, tmp_path: Path
) -> None:
    mlflow_server.promote("shown", mlflow_server.register("shown", models.logistic()))
    api = start_api(MODEL_NAME="shown")
    api.serves("1")
    shown, asked, complaints = look(f"{api.url}/docs#/Predictions/predict", tmp_path)
    routes = document(None, Settings(home=tmp_path, mlflow_url=api.url))["paths"]
    assert set(re.findall(r'opblock-summary-path"[^>]*data-path="([^"]+)"', shown)) == set(routes)
    assert "sepal_length" in shown  # the example of the operation that is open
    assert {f"{api.url}/{path}" for path in ("openapi.json", *PAGE)} <= asked
    assert not [address for address in asked if not address.startswith(f"{api.url}/")]
    assert complaints == []


def look(url: str, folder: Path) -> tuple[str, set[str], list[str]]:
    """A page as a browser has built it, the addresses it asked for, and what its console said."""
    log = folder / "net.json"
    options = [*QUIET.split(), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    options += [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"]
    # Of virtual time, which stands while the page waits for an answer.
    command = [BROWSER, *options, "--virtual-time-budget=20000", "--dump-dom", url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    written = json.loads(log.read_text())
    kind = written["constants"]["logEventTypes"][REQUEST]
    starts = [event["params"] for event in written["events"] if event["type"] == kind and "params" in event]
    # What the browser asks for itself has no page as its origin.
    asked = {each["url"].partition("#")[0] for each in starts if "://" in each.get("initiator", "")}
    return run.stdout, asked, re.findall(r"CONSOLE.*", run.stderr)
