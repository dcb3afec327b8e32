"""The prediction log against a real SQLite file: what is written, what is not, and what is counted."""

import json
import socket
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import models
import numpy as np
import pytest
from sqlalchemy import update
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from prediction_api.application import create_app
from prediction_api.errors import LogAway
from prediction_api.model import Model
from prediction_api.prediction_log import store as store_module
from prediction_api.prediction_log import writer as writer_module
from prediction_api.prediction_log.encoding import to_json
from prediction_api.prediction_log.entries import Entry, Queue
from prediction_api.prediction_log.store import ASKING, Store
from prediction_api.prediction_log.tables import make_engine, metadata, predictions
from prediction_api.service import Service
from prediction_api.serving import COPY
from prediction_api.settings import Settings

FLOWER = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture
def serving(service: Service, iris_model: Model) -> Service:
    service.serving.swap(iris_model, COPY)
    return service


def predict(client: Any, instances: Any, request_id: str = "") -> str:
    """Ask; returns the id of the request."""
    headers = {"X-Request-Id": request_id} if request_id else {}
    answer = client.post("/predict", json={"instances": instances}, headers=headers)
    assert answer.status_code == 200, answer.data
    return answer.headers["X-Request-Id"]


def write(service: Service) -> None:
    """What the thread does, until nothing waits."""
    while service.log.writer.turn():
        pass


def logged(service: Service, columns: str = "*") -> list[tuple[Any, ...]]:
    with sqlite3.connect(service.settings.home / "predictions.db") as database:
        return database.execute(f"SELECT {columns} FROM predictions ORDER BY entry, row").fetchall()


def counted(service: Service, metric: str, **labels: str) -> float:
    return service.metrics._registry.get_sample_value(metric, labels) or 0.0


def log_rows(service: Service) -> dict[str, float]:
    name = "prediction_api_log_rows_total"
    return {result: counted(service, name, result=result) for result in ("written", "dropped", "lost")}


def entry(model: Model, rows: int = 1, request_id: str = "r", body: bytes = b"") -> Entry:
    body = body or json.dumps([FLOWER] * rows).encode()
    return Entry(time.time(), request_id, model, body, ["setosa"] * rows, 1.0, "champion")


def test_a_request_is_shown_as_it_was_asked_and_answered(serving: Service, client: Any) -> None:
    named = dict(zip(models.NAMES, [6.8, 2.8, 4.8, 1.4], strict=True))
    request_id = predict(client, [FLOWER, named])
    write(serving)
    shown = client.get(f"/predictions/{request_id}").json
    (answer,) = shown["answers"]
    identity = serving.serving.identity
    assert (answer["model"], answer["version"], answer["role"]) == ("iris", identity.version, "champion")
    assert (answer["git_sha"], answer["data_version"]) == (identity.git_sha, identity.data_version)
    assert [row["inputs"] for row in answer["rows"]] == [dict(zip(models.NAMES, FLOWER, strict=True)), named]
    assert [row["prediction"] for row in answer["rows"]] == ["setosa", "versicolor"]
    frame = serving.serving.model.signature.frame([FLOWER, list(named.values())])
    expected = serving.serving.model.estimator.predict_proba(frame).max(axis=1)
    assert [row["confidence"] for row in answer["rows"]] == pytest.approx(expected.tolist())
    assert answer["ms"] > 0
    assert abs(datetime.now(UTC) - datetime.fromisoformat(answer["at"])) < timedelta(minutes=5)
    count = counted(serving, "prediction_api_confidence_count", model="iris", version="1")
    assert (log_rows(serving)["written"], count) == (2, 2)


def test_requests_that_failed_are_not_logged(serving: Service, client: Any) -> None:
    assert client.post("/predict", json={"instances": [["x"]]}).status_code == 422
    assert not serving.log.queue.take(1)


def test_masked_columns_are_never_in_the_database(settings: Settings, iris_model: Model) -> None:
    service = Service(replace(settings, masked_columns=frozenset({"sepal_width", "no such"})))
    service.serving.swap(iris_model, COPY)
    client = create_app(service).test_client()
    secret = 3.14159265
    predict(client, [[5.1, secret, 1.4, 0.2]])
    predict(client, [dict(zip(models.NAMES, [5.1, secret, 1.4, 0.2], strict=True))])
    write(service)
    service.log.store.close()
    assert [json.loads(inputs)["sepal_width"] for (inputs,) in logged(service, "inputs")] == ["***", "***"]
    for path in service.settings.home.glob("predictions.db*"):
        assert b"3.14159" not in path.read_bytes(), path


def test_switched_off_nothing_is_kept(settings: Settings, iris_model: Model) -> None:
    service = Service(replace(settings, prediction_log=False))
    service.serving.swap(iris_model, COPY)
    client = create_app(service).test_client()
    request_id = predict(client, [FLOWER])
    for answer in (
        client.get(f"/predictions/{request_id}"),
        client.post("/feedback", json={"request_id": request_id, "labels": ["setosa"]}),
    ):
        assert (answer.status_code, answer.json["type"]) == (404, "urn:prediction-api:log-off")
    assert not list(settings.home.glob("predictions*"))


def test_the_queue_keeps_its_bounds(iris_model: Model) -> None:
    queue = Queue(max_rows=5, max_bytes=1000, wake_rows=3)
    assert queue.put(entry(iris_model, 2))
    assert not queue.wake.is_set()
    assert queue.put(entry(iris_model, 3))
    assert queue.wake.is_set()
    assert not queue.put(entry(iris_model, 1))
    taken = queue.take(1)
    assert not queue.put(entry(iris_model, 1)), "what is being written is still held"
    assert queue.settle(taken) == 2
    assert not queue.put(entry(iris_model, 1, body=b" " * 1001))
    assert queue.put(entry(iris_model, 2))


def test_an_overload_loses_only_what_it_counts(serving: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times what fits, from four threads, while each batch takes the database a while."""
    log, asked = serving.log, 100
    log.queue._max_rows, write_now = asked, log.store.write

    def slowly(*arguments: Any, **options: Any) -> None:
        threading.Event().wait(0.05)
        write_now(*arguments, **options)

    monkeypatch.setattr(log.store, "write", slowly)
    monkeypatch.setattr(writer_module, "BATCH_ROWS", 20)
    client = create_app(serving).test_client()

    def ask() -> None:
        for _ in range(10 * asked // 4):
            predict(client, [FLOWER])

    log.writer.start()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.writer.stop()
    rows = log_rows(serving)
    assert sum(rows.values()) == 10 * asked
    assert rows["dropped"] > 0
    assert rows["written"] == len(logged(serving)) >= asked
    assert log.queue.rows == 0


def test_a_database_that_is_away_costs_no_answer_and_no_row(
    serving: Service, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = serving.settings.home / "predictions.db"
    path.mkdir()  # SQLite cannot open a folder
    request_id = predict(client, [FLOWER])
    assert not serving.log.writer.turn()
    assert not serving.log.writer.turn()
    answer = client.get(f"/predictions/{request_id}")
    assert (answer.status_code, answer.json["type"]) == (503, "urn:prediction-api:log-away")
    said = [line for line in capsys.readouterr().out.splitlines() if '"state": "away"' in line]
    assert len(said) == 1, "once for all tries"
    path.rmdir()
    write(serving)
    assert client.get(f"/predictions/{request_id}").status_code == 200
    assert log_rows(serving) == {"written": 1, "dropped": 0, "lost": 0}


def test_a_try_that_failed_after_it_had_written_writes_nothing_twice(serving: Service, client: Any) -> None:
    predict(client, [FLOWER])
    store = serving.log.store
    written = store.write

    def lose_the_answer(rows: Any, again: bool = False) -> None:
        written(rows, again)
        store.write = written
        raise DataError("", {}, Exception("the connection broke"))

    store.write = lose_the_answer
    write(serving)
    write(serving)
    assert len(logged(serving)) == 1
    assert log_rows(serving)["written"] == 1


def test_rows_that_the_database_never_takes_take_no_others_with_them(
    serving: Service, iris_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = serving.log.store
    real = store.write

    def picky(rows: Any, again: bool = False) -> None:
        if any(row["request_id"] == "bad" for row in rows):
            raise DataError("", {}, Exception("Data too long"))
        real(rows, again)

    monkeypatch.setattr(store, "write", picky)
    for name in ("one", "bad", "two"):
        serving.log.queue.put(entry(iris_model, request_id=name))
    for _ in range(writer_module.TRIES):
        assert not serving.log.writer.turn()
    assert serving.log.writer.turn()
    assert [name for (name,) in logged(serving, "request_id")] == ["one", "two"]
    assert log_rows(serving) == {"written": 2, "dropped": 0, "lost": 1}


def test_a_lock_that_passes_loses_nothing_and_one_that_stays_loses_in_the_end(
    serving: Service, iris_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, faults = serving.log.store, [OperationalError("", {}, Exception(1205))] * 10
    real = store.write

    def locks(rows: Any, again: bool = False) -> None:
        if faults:
            raise faults.pop()
        real(rows, again)

    monkeypatch.setattr(store, "write", locks)
    serving.log.queue.put(entry(iris_model, 2))
    for _ in range(10):
        assert not serving.log.writer.turn()
    write(serving)
    assert log_rows(serving) == {"written": 2, "dropped": 0, "lost": 0}
    monkeypatch.setattr(writer_module, "PATIENCE", 0.0)
    faults += [OperationalError("", {}, Exception(1205))] * 10
    serving.log.queue.put(entry(iris_model, 2))
    for _ in range(writer_module.TRIES + 1):
        serving.log.writer.turn()
    assert log_rows(serving)["lost"] == 2


def test_requests_do_not_wait_for_a_database_that_does_not_answer(settings: Settings) -> None:
    """It takes connections and is mute: one waits for it, who asks after that is told at once."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"mysql+pymysql://serving:x@127.0.0.1:{mute.getsockname()[1]}/serving"
        store = Store(url, settings.home / ".lock")
        asked = [threading.Thread(target=pytest.raises, args=(LogAway, store.answers, "r")) for _ in range(8)]
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join()
        mute.setblocking(False)
        met = 0
        with suppress(BlockingIOError):
            while True:
                mute.accept()[0].close()
                met += 1
        assert 1 <= met <= ASKING
        with pytest.raises(LogAway, match="did not answer a moment ago"):
            store.answers("r")


def test_a_reader_waits_for_no_writer(serving: Service, client: Any) -> None:
    request_id = predict(client, [FLOWER])
    write(serving)
    with sqlite3.connect(serving.settings.home / "predictions.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert client.get(f"/predictions/{request_id}").status_code == 200


def test_one_request_that_cannot_be_read_takes_no_others_with_it(serving: Service, iris_model: Model) -> None:
    for body in (b"", b"[[1, 2]", b""):
        serving.log.queue.put(entry(iris_model, 1, body=body))
    write(serving)
    assert log_rows(serving) == {"written": 2, "dropped": 0, "lost": 1}


def test_nothing_masked_is_in_the_services_own_log(
    settings: Settings, load_trained: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "secret-7331"
    service = Service(replace(settings, masked_columns=frozenset(models.NAMES)))
    model = load_trained(models.logistic())
    service.serving.swap(model, COPY)

    def fails(*_: Any, **__: Any) -> Any:
        raise ValueError(f"Found unknown categories [{secret}]")

    monkeypatch.setattr(Model, "confidences", fails)
    monkeypatch.setattr(type(service.log.store), "write", fails)
    service.log.queue.put(entry(model))
    with pytest.raises(ValueError, match=secret):
        service.log.writer.turn()
    service.log.writer._give_up(ValueError(secret))
    said = capsys.readouterr().out
    assert "has no confidence: ValueError" in said
    assert secret not in said


def test_a_masked_column_that_no_model_has_is_said_once(
    settings: Settings, iris_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(replace(settings, masked_columns=frozenset({"Petal_length"})))
    for _ in range(3):
        service.log.queue.put(entry(iris_model))
        write(service)
    assert capsys.readouterr().out.count("has no column Petal_length, which MASKED_COLUMNS names") == 1


def test_tables_that_somebody_removed_are_made_again(serving: Service, client: Any) -> None:
    predict(client, [FLOWER])
    write(serving)
    metadata.drop_all(serving.log.store._engine)
    predict(client, [FLOWER])
    assert not serving.log.writer.turn()
    write(serving)
    assert len(logged(serving)) == 1


def test_what_cannot_be_written_at_the_end_is_counted(
    serving: Service, iris_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "STOP_SECONDS", 0.3)
    (serving.settings.home / "predictions.db").mkdir()
    serving.log.queue.put(entry(iris_model, 3))
    serving.log.writer.start()
    serving.log.writer.stop()
    assert log_rows(serving) == {"written": 0, "dropped": 0, "lost": 3}


def test_what_is_too_old_is_deleted_in_small_parts(
    serving: Service, iris_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PRUNED_ROWS", 4)
    log = serving.log
    for name in ("old", "older", "new"):
        log.queue.put(entry(iris_model, 5, name))
    write(serving)
    with log.store.transaction() as connection:
        past = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=31)
        connection.execute(update(predictions).where(predictions.c.request_id != "new").values(at=past))
    left = []
    for _ in range(3):
        log.writer.prune()
        left.append(len(logged(serving)))
    assert left == [11, 7, 5]
    assert {name for (name,) in logged(serving, "request_id")} == {"new"}
    assert log.writer._next_prune > time.monotonic() + 60


def test_workers_that_start_together_share_one_database(settings: Settings, iris_model: Model) -> None:
    services = [Service(settings) for _ in range(4)]
    for service in services:
        for _ in range(20):
            service.log.queue.put(entry(iris_model, 5))
        service.log.writer.start()
    for service in services:
        service.log.writer.stop()
    assert len(logged(services[0])) == 4 * 20 * 5
    with sqlite3.connect(settings.home / "predictions.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_life_finds_what_the_first_wrote(settings: Settings, iris_model: Model) -> None:
    for _ in range(2):
        service = Service(settings)
        service.log.queue.put(entry(iris_model))
        write(service)
        service.log.store.close()
    assert len(logged(service)) == 2


def test_text_beyond_ascii_stays_what_it_is(service: Service, load_trained: Any) -> None:
    service.serving.swap(load_trained(models.text()), COPY)
    client = create_app(service).test_client()
    text = "sehr schön 👍 \u0000 \u2028 日本"
    request_id = predict(client, [{"text": text}])
    write(service)
    (row,) = client.get(f"/predictions/{request_id}").json["answers"][0]["rows"]
    assert row["inputs"] == {"text": text}
    assert row["prediction"] in (0, 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "null"),
        ({"a": [float("inf"), 10**30]}, '{"a": [null, 1000000000000000000000000000000]}'),
        ("half \ud83d", '"half ?"'),
        ({"\ud83d": np.float64(1.5)}, '{"?": 1.5}'),
        (datetime(2026, 1, 2), '"2026-01-02T00:00:00"'),
        ({1}, '"{1}"'),
    ],
)
def test_what_json_cannot_hold_is_no_error(value: Any, text: str) -> None:
    assert to_json(value) == text


def test_a_model_without_probabilities_is_logged_without(serving: Service, iris_model: Model) -> None:
    class Failing:
        def predict_proba(self, _: Any) -> Any:
            raise RuntimeError("no")

    for estimator in (object(), Failing()):
        serving.log.queue.put(entry(replace(iris_model, estimator=estimator)))
    write(serving)
    assert logged(serving, "confidence") == [(None,), (None,)]


def test_the_tables_on_mysql_see_case_microseconds_and_every_character() -> None:
    dialect = mysql.dialect()
    made = "".join(str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables)
    assert made.count("COLLATE utf8mb4_bin") == 2
    assert made.count("at DATETIME(6) NOT NULL") == 2
    assert "inputs JSON NOT NULL" in made
    assert made.count("`row` INTEGER NOT NULL") == 2
    for table in metadata.sorted_tables:
        for index in table.indexes:
            assert "(" in str(CreateIndex(index).compile(dialect=dialect))
            # InnoDB takes 3072 bytes, at up to four a character.
            assert sum(4 * (getattr(column.type, "length", None) or 2) for column in index.columns) < 3072


def test_an_error_of_the_database_shows_neither_values_nor_password() -> None:
    engine = make_engine("mysql+pymysql://serving:hidden@127.0.0.1:9/serving")
    assert engine.hide_parameters
    assert "hidden" not in repr(engine)
    assert "hidden" not in repr(
        Settings.from_env(
            {
                "API_HOME": "x",
                "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
                "PREDICTION_LOG_URL": "mysql+pymysql://serving:hidden@mysql/serving",
            }
        )
    )


def test_a_mysql_that_is_away_is_no_more_than_that(settings: Settings) -> None:
    store = Store("mysql+pymysql://serving:hidden@127.0.0.1:9/serving", settings.home / "lock")
    with pytest.raises(store_module.LogAway) as caught:
        store.answers("abc")
    assert "hidden" not in str(caught.value)
