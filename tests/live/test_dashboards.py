"""Every query of every panel, asked as Grafana would: of Prometheus, and of MySQL as the user `grafana`."""

import math
import re
import time
from collections.abc import Callable
from typing import Any

import pymysql
import pytest
import requests
from dashboardfiles import Query, queries
from helpers import FLOWERS, SPECIES, bearer, predict

from sandbox.errors import SandboxError
from sandbox.wait import wait_until

pytestmark = pytest.mark.docker
LOOKED_SECONDS = 1800  # the time that a dashboard would show
STEP_SECONDS = 15
SCRAPED_SECONDS = 240  # two scrapes after the traffic, and MinIO's look at its buckets
# Metrics of services that are not here, by the beginning of their names. Should one come, the test fails.
ABSENT = {
    "default_jenkins_": "Jenkins is not here: services/ci builds in its place and has no metrics",
    "jenkins_": "Jenkins is not here: services/ci builds in its place and has no metrics",
    "gitea_": "Gitea is not here: services/ci answers in its place and has no metrics",
}
# Panels that a healthy sandbox after one loop may leave empty, by dashboard and question.
MAY_BE_EMPTY = {
    ("loop", "How long until it works again?"): "no run has failed",
    ("loop", "Which rule rejects?"): "the gate has rejected nothing",
    ("loop", "Which alerts fire now?"): "nothing fires",
    ("loop", "mark Rejected"): "the gate has rejected nothing",
    ("loop", "mark Failed"): "no run has failed",
    ("serving", "Does the shadow agree?"): "no challenger predicts in the shadow",
    ("drift", "How far has the worst column drifted?"): "no drift run in one loop",
    ("drift", "When was it judged?"): "no drift run in one loop",
    ("drift", "On how many rows?"): "no drift run in one loop",
    ("drift", "How many loops did drift start?"): "no drift run in one loop",
    ("drift", "Which column has drifted most?"): "no drift run in one loop",
    ("drift", "How does PSI go, column by column?"): "no drift run in one loop",
    ("drift", "How does Kolmogorov-Smirnov go, column by column?"): "no drift run in one loop",
    ("drift", "What did the newest drift runs say?"): "no drift run in one loop",
    ("pipelines", "How do tasks end?"): "`failed`: no task has failed",
    ("pipelines", "How much memory?"): "Gitea is not here",
    ("platform", "When is the disk full?"): "empty while the disk does not grow",
    ("platform", "Was something killed for memory?"): "some kernels do not count it",
}
MARKS = ("mark Served", "mark Rejected", "mark Failed")


def ask_prometheus(url: str, query: Query) -> int:
    """How many series a query has that hold a number now, or at some time of those looked at."""
    now = time.time()
    span = {"start": now - LOOKED_SECONDS, "end": now, "step": STEP_SECONDS}
    route, more = ("query", {"time": now}) if query.now else ("query_range", span)
    answer = requests.post(f"{url}/api/v1/{route}", data={"query": query.promql} | more, timeout=30)
    assert answer.status_code == 200, f"{query}\n{answer.text}"
    series = answer.json()["data"]["result"]
    samples = [row.get("values") or [row["value"]] for row in series]
    return sum(any(not math.isnan(float(value)) for _, value in row) for row in samples)


def as_grafana_sends(sql: str, model: str) -> str:
    """SQL with the variable and the macros of Grafana's MySQL plugin put in."""
    now = int(time.time())
    since = now - LOOKED_SECONDS * 24
    text = sql.replace("$model", model).replace("$__unixEpochFrom()", str(since))
    text = text.replace("$__unixEpochTo()", str(now))
    text = re.sub(
        r"\$__timeFilter\((.+?)\)", rf"\1 BETWEEN FROM_UNIXTIME({since}) AND FROM_UNIXTIME({now})", text
    )
    assert "$" not in text, text
    return text


@pytest.fixture(scope="module")
def mysql(sandbox) -> Callable[[str], list[Any]]:
    """Rows of a statement, as Grafana's data source reads them."""
    port, password = int(sandbox.setting("MYSQL_PORT")), sandbox.setting("MYSQL_GRAFANA_PASSWORD")

    def ask(sql: str) -> list[Any]:
        login = {"host": "127.0.0.1", "port": port, "user": "grafana", "password": password}
        with pymysql.connect(**login, database="mlflow") as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    return ask


@pytest.fixture(scope="module")
def traffic(sandbox) -> None:
    """Some predictions, most of which were right as we say."""
    url = sandbox.url("prediction-api")
    labels = [SPECIES[1], *SPECIES[1:]]  # one of four that the model has wrong

    def told(request_id: str) -> bool:
        body = {"request_id": request_id, "labels": labels}
        return requests.post(f"{url}/feedback", json=body, headers=bearer(sandbox), timeout=10).ok

    for _ in range(2):
        request_id = predict(sandbox, FLOWERS).headers["X-Request-Id"]
        wait_until(lambda known=request_id: told(known), what="the prediction to be logged", seconds=30)


def beginning(query: Query) -> str | None:
    """Of the metrics that a query reads, the beginning of one whose service is not here."""
    return next((name for name in ABSENT if not query.sql and re.search(rf"\b{name}", query.promql)), None)


def excuse(query: Query) -> str | None:
    """Why a query may have no rows."""
    panel = query.panel
    same_everywhere = MAY_BE_EMPTY.get(("loop", panel)) if panel in MARKS else None
    return ABSENT.get(beginning(query) or "") or MAY_BE_EMPTY.get((query.uid, panel)) or same_everywhere


def look(asked: list[Query], url: str, mysql: Callable[[str], list[Any]], model: str) -> dict[Query, int]:
    """Queries and their number of series or rows."""
    return {
        query: len(mysql(as_grafana_sends(query.text, model)))
        if query.sql
        else ask_prometheus(url, with_model(query, model))
        for query in asked
    }


def with_model(query: Query, model: str) -> Query:
    return Query(query.uid, query.panel, query.ref, query.text.replace("$model", model), now=query.now)


def table(found: dict[Query, int]) -> str:
    """panel | query | rows | real, or why there are none."""
    lines = [
        f"{query.uid}: {query.panel} | {query.ref} {query.text[:60]} | {rows} | "
        + ("real" if rows else f"exempt: {excuse(query)}")
        for query, rows in found.items()
    ]
    return "\n".join(["panel | query | rows | kind", *lines])


@pytest.mark.usefixtures("traffic")
def test_every_panel_has_rows_or_a_reason(root, sandbox, mysql):
    url, asked = sandbox.url("prometheus"), list(queries(root))
    ((model, *_), *_) = mysql(next(query.text for query in asked if query.panel == "choice $model"))
    found: dict[Query, int] = dict.fromkeys(asked, 0)

    def complete() -> bool:
        """Raises SandboxError with the panels that are still empty and have no excuse."""
        found.update(look([query for query in asked if not found[query]], url, mysql, model))
        empty = [query for query in asked if not found[query] and not excuse(query)]
        if empty:
            raise SandboxError("; ".join(f"{query.uid}: {query.panel} {query.ref}" for query in empty))
        return True

    try:
        wait_until(complete, what="rows in every panel", seconds=SCRAPED_SECONDS, interval=STEP_SECONDS)
    finally:
        print("\n" + table(found))
        real = sum(rows > 0 for rows in found.values())
        print(f"{len(found)} queries: {real} real, {len(found) - real} exempt or empty")
    stale = {name for query, rows in found.items() if rows and (name := beginning(query))}
    assert stale == set(), "Its service is here now: take it out of ABSENT"


def test_the_user_grafana_only_reads(mysql):
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        mysql("DELETE FROM mlflow.runs WHERE 1 = 0")
