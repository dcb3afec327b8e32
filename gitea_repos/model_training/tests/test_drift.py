"""The drift task against a real HTTP server, a real DVC repository and a real MLflow store."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from scipy import stats

from builders import IRIS, iris_frame
from model_training.dataset import Dataset
from model_training.drift.bins import MISSING, OTHERS, Counts, category_bins, even_bins, quantile_bins
from model_training.drift.judge import judge, summary, too_alike
from model_training.drift.page import draw
from model_training.drift.scores import (
    count_different,
    judge_columns,
    kolmogorov_smirnov,
    population_stability_index,
)
from model_training.drift.served import Served
from model_training.errors import TrainingError, UnavailableError
from model_training.schema import Schema
from model_training.settings import DriftSettings, prepare_mlflow

AT = "2026-01-01T12:00:00.000+00:00"
HOSTILE = "</svg><script>alert(1)</script>"


@dataclass
class Api:
    """What the prediction API answers; every request is kept."""

    version: str
    rows: list[dict[str, Any]]
    model: tuple[int, dict[str, Any]] | None = None
    log: tuple[int, Any] | None = None
    seen: list[tuple[str, dict[str, str], str]] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, Any]:
        if path == "/model":
            return self.model or (200, {"name": "iris", "version": "3", "data_version": self.version})
        return self.log or (200, {"rows": [{"at": AT, "inputs": row} for row in self.rows]})


@pytest.fixture
def api(data_project: Any) -> Iterator[tuple[Api, str]]:
    """The API of the 150 flowers, and its address."""
    said = Api(data_project.version, iris_frame()[list(IRIS["columns"])].to_dict("records") * 2)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            said.seen.append(
                (parts.path, dict(parse_qsl(parts.query)), self.headers.get("Authorization", ""))
            )
            status, document = said.answer(parts.path)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield said, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def drift(
    api: tuple[Api, str], environment: dict[str, str], set_environment: Callable[..., None]
) -> DriftSettings:
    own = {"API_URL": api[1], "API_TOKEN": "a-token", "DRIFT_PSI": "0.2"}
    own |= {"DRIFT_WINDOW_HOURS": "24", "DRIFT_LEAST_ROWS": "200"}
    set_environment(environment)
    prepare_mlflow(environment["MLFLOW_TRACKING_URI"])
    return DriftSettings.from_env(environment | own)


def shifted(rows: list[dict[str, Any]], column: str, by: float) -> list[dict[str, Any]]:
    return [row | {column: row[column] + by} for row in rows]


def test_rows_like_those_of_training_do_not_drift(iris: Dataset, drift: DriftSettings) -> None:
    rows = iris_frame()[list(IRIS["columns"])].to_dict("records") * 2
    columns = judge_columns(iris.schema, iris.train.rows, rows)
    result = summary(drift, Served("iris", "3", "d" * 12), 300, columns)
    assert (result["state"], result["drifted"], result["rows"]) == ("passed", False, 300)
    assert result["score"] < 0.05
    assert all(column["p_value"] > 0.9 for column in result["columns"].values())


def test_shifted_rows_drift_and_the_run_shows_it(api: tuple[Api, str], drift: DriftSettings) -> None:
    said, _ = api
    said.rows = shifted(said.rows, "petal_length", 3.0)
    found = judge(drift)
    assert [(path, token) for path, _, token in said.seen] == [
        ("/model", "Bearer a-token"),
        ("/predictions", "Bearer a-token"),
    ]
    query = said.seen[1][1]
    assert (query["model"], query["version"], query["limit"]) == ("iris", "3", "5000")
    assert found["drifted"]
    assert found["score"] == found["columns"]["petal_length"]["psi"] > 1
    assert found["columns"]["sepal_width"]["psi"] < 0.05
    assert found["columns"]["petal_length"]["p_value"] < 1e-6
    assert re.fullmatch(
        r"300 rows asked of iris version 3 in 24 h drifted: PSI .* of petal_length is above 0\.2\.",
        found["detail"],
    )
    _check_run(found)


def _check_run(found: dict[str, Any]) -> None:
    client = MlflowClient()
    run = client.get_run(found["mlflow_run_id"])
    assert client.get_experiment(run.info.experiment_id).name == "drift"
    tags = {"model": "iris", "version": "3", "loop_run_id": "manual-1", "newest_row": AT}
    assert tags.items() <= run.data.tags.items()
    assert run.data.metrics["score"] == pytest.approx(found["score"])
    assert run.data.metrics["rows"] == 300
    for name, column in found["columns"].items():
        assert run.data.metrics[f"psi.{name}"] == pytest.approx(column["psi"])
        assert run.data.metrics[f"ks.{name}"] == pytest.approx(column["ks"])
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"drift.html", "drift.json"}


def test_too_few_rows_are_no_judgement_and_cost_no_download(
    api: tuple[Api, str], drift: DriftSettings
) -> None:
    said, _ = api
    said.rows, said.version = said.rows[:199], "0" * 12  # of which there are no data
    result = judge(drift)
    assert (result["state"], result["drifted"], result["score"], result["rows"]) == (
        "passed",
        False,
        None,
        199,
    )
    assert result["detail"] == "No judgement: 199 rows of iris version 3 in 24 h, and 200 are asked for."
    said.model = (503, {"type": "urn:prediction-api:no-model"})
    assert judge(drift)["detail"] == "No judgement: no model is served."


@pytest.mark.parametrize(
    ("changes", "kind", "named"),
    [
        ({"log": (503, {"detail": "away"})}, UnavailableError, "/predictions answered 503: away"),
        ({"log": (404, {"detail": "PREDICTION_LOG is off."})}, TrainingError, "PREDICTION_LOG is off"),
        ({"log": (401, {"detail": "Not known here."})}, TrainingError, "does not take API_TOKEN: Not known"),
        ({"log": (200, "no object")}, TrainingError, "/predictions answered 200"),
        ({"model": (200, {"name": "iris", "version": "3", "data_version": "none"})}, TrainingError, "'none'"),
    ],
)
def test_what_stops_a_judgement_is_named(
    api: tuple[Api, str], drift: DriftSettings, changes: dict[str, Any], kind: type, named: str
) -> None:
    for name, value in changes.items():
        setattr(api[0], name, value)
    with pytest.raises(kind, match=re.escape(named)):
        judge(drift)


def test_an_api_that_is_away_is_worth_another_try(drift: DriftSettings) -> None:
    away = DriftSettings(**{**vars(drift), "api_url": "http://127.0.0.1:9"})
    with pytest.raises(UnavailableError, match=r"http://127\.0\.0\.1:9 does not answer"):
        judge(away)


def test_every_missing_setting_is_named() -> None:
    with pytest.raises(TrainingError, match=r"API_URL .*, GIT_URL, .*DRIFT_PSI .*, DRIFT_LEAST_ROWS"):
        DriftSettings.from_env({"DRIFT_WINDOW_HOURS": "24"})


def test_chance_alone_is_seldom_above_the_threshold() -> None:
    """120 rows of training and 200 requests of the same source: the smallest sizes that are judged."""
    random = np.random.default_rng(7)
    indices = np.array(
        [
            population_stability_index(
                quantile_bins(random.normal(size=120), random.normal(size=200), 200), 200
            )
            for _ in range(1000)
        ]
    )
    assert (indices > 0.2).mean() < 0.01
    assert indices.mean() < 0.03


def test_test_rows_asked_again_and_again_are_no_drift(iris: Dataset) -> None:
    """As `make load` asks: thirty rows that are like training, seventeen times."""
    rows = iris.test.rows.to_dict("records") * 17
    assert count_different(rows) == 30
    assert max(column.psi for column in judge_columns(iris.schema, iris.train.rows, rows).values()) < 0.2


def test_a_health_check_is_no_drift_but_few_categories_may_be_judged(iris: Dataset) -> None:
    flower = iris.test.rows.to_dict("records")[0]
    assert too_alike([flower] * 500, iris.train.rows)
    two = pd.DataFrame({"c": ["a", "b"] * 50})
    assert not too_alike([{"c": "z"}] * 500, two)


def test_the_index_is_its_formula() -> None:
    counts = Counts(["a", "b", "c"], np.array([500, 500, 0]), np.array([800, 199, 1]))
    p, q = np.array([500, 500, 0.5]) / 1000.5, np.array([800, 199, 1]) / 1000
    wanted = ((q - p) * np.log(q / p)).sum() - 2 * (1 / 1000 + 1 / 1000)
    assert population_stability_index(counts, 1000) == pytest.approx(wanted)
    assert population_stability_index(counts, 500) == pytest.approx(wanted - 2 / 1000)
    same = Counts(["a"], np.array([10]), np.array([99]))
    assert population_stability_index(same, 99) == 0


def test_the_distance_is_scipys_and_ignores_what_is_missing() -> None:
    one, two = np.arange(50.0), np.arange(10.0, 90.0)
    wanted = stats.ks_2samp(one, two, method="asymp")
    found = kolmogorov_smirnov(np.append(one, np.nan), two)
    assert found == pytest.approx((wanted.statistic, wanted.pvalue))
    assert kolmogorov_smirnov(np.array([np.nan]), two) == (None, None)


def test_bins_hold_every_row() -> None:
    random = np.random.default_rng(1)
    training = np.append(random.normal(size=195), [np.nan] * 5)
    asked = np.append(random.normal(5, 1, size=299), np.nan)
    for counts in (quantile_bins(training, asked, 300), even_bins(training, asked)):
        assert (counts.training.sum(), counts.requests.sum()) == (200, 300)
        assert counts.labels[-1] == MISSING
        assert (counts.training[-1], counts.requests[-1]) == (5, 1)
    constant = quantile_bins(np.full(100, 3.0), np.array([3.0, 4.0]), 2)
    assert constant.training.tolist() == [100, 0]
    assert constant.requests.tolist() == [1, 1]
    assert quantile_bins(np.full(3, np.nan), np.array([1.0]), 1).requests.tolist() == [1, 0]


def test_what_lies_below_a_frequent_least_value_has_its_bin() -> None:
    """Most rows of training are zero, and requests are suddenly negative."""
    training = np.append(np.zeros(80), np.arange(1.0, 41.0))
    counts = quantile_bins(training, np.append(np.full(80, -1.0), np.arange(1.0, 41.0)), 40)
    assert (counts.training[:2].tolist(), counts.requests[:2].tolist()) == ([0, 80], [80, 0])
    assert population_stability_index(counts, 120) > 1


def test_categories_are_counted_by_name_and_new_ones_together() -> None:
    counts = category_bins([1.0, 2.0, 1.0, None], [1, 2, 3, "x", float("nan")])
    assert counts.labels == ["1", "2", OTHERS, MISSING]
    assert counts.training.tolist() == [2, 1, 0, 1]
    assert counts.requests.tolist() == [1, 1, 2, 1]
    many = category_bins([str(number) for number in range(50)], ["0"])
    assert (len(many.labels), many.training.sum()) == (21, 50)


def test_each_kind_is_judged_in_its_way_and_masked_columns_not_at_all() -> None:
    schema = Schema("mixed", "y", {"n": "numeric", "c": "categorical", "t": "text", "secret": "numeric"})
    training = pd.DataFrame(
        {"n": range(100), "c": ["a", "b"] * 50, "t": ["word"] * 100, "secret": range(100)}
    )
    inputs = [{"n": number, "c": "z", "t": "a long text " * 5, "secret": "***"} for number in range(100)]
    found = judge_columns(schema, training, inputs)
    assert list(found) == ["n", "c", "t"]
    assert found["n"].psi == 0
    assert found["c"].psi > 1
    assert (found["c"].ks, found["c"].p_value) == (None, None)
    assert found["t"].psi > 1
    assert [column.scored for column in found.values()] == [True, True, False]
    # A client that sends the mask itself, or a setting that changed, hides no other row.
    mixed = [row | {"c": "***" if number < 50 else "z"} for number, row in enumerate(inputs)]
    assert judge_columns(schema, training, mixed)["c"].psi > 1


def test_requests_without_a_column_to_judge_are_put_off(api: tuple[Api, str], drift: DriftSettings) -> None:
    said, _ = api
    said.rows = [dict.fromkeys(row, "***") | {"n": number} for number, row in enumerate(said.rows * 2)]
    result = judge(drift)
    assert (result["state"], result["drifted"], result["score"]) == ("passed", False, None)
    assert "every column is masked" in result["detail"]
    client = MlflowClient(drift.mlflow_tracking_uri)
    (run,) = client.search_runs([client.get_experiment_by_name("drift").experiment_id])
    assert run.data.tags["newest_row"] == AT
    assert not run.data.metrics


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.addresses, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [name for name, _ in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_shows_hostile_names_as_text_and_loads_nothing(drift: DriftSettings) -> None:
    schema = Schema("mixed", "y", {HOSTILE: "categorical", "t": "text"})
    training = pd.DataFrame({HOSTILE: [HOSTILE, "b"] * 50, "t": ["word"] * 100})
    columns = judge_columns(schema, training, [{HOSTILE: HOSTILE + "2", "t": "x"}] * 100)
    result = {"rows": 100, "model": HOSTILE, "version": "1", "drifted": True, "detail": HOSTILE}
    text = draw(result, columns, [HOSTILE], 100, drift, "d" * 12)
    page = Page(text)
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert page.addresses == []
    assert page.tags.count("svg") == 2
    assert HOSTILE in "".join(page.text)
    assert "default-src 'none'" in text
