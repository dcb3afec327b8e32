"""The key figures of `sandbox status`, made of what the services say."""

from sandbox.drivers.base import Service
from sandbox.key_figures import figures, in_words, key_figures

BUCKET = "prediction_api_request_seconds_bucket"
API = [
    ("prediction_api_requests_total", {"route": "/predict", "status": "200"}, 90.0),
    ("prediction_api_requests_total", {"route": "/v1/models/{name}:predict", "status": "422"}, 6.0),
    ("prediction_api_requests_total", {"route": "/predict", "status": "503"}, 4.0),
    ("prediction_api_requests_total", {"route": "/metrics", "status": "500"}, 50.0),
    (BUCKET, {"route": "/predict", "le": "0.001"}, 94.0),
    (BUCKET, {"route": "/predict", "le": "0.5"}, 96.0),
    (BUCKET, {"route": "/predict", "le": "+Inf"}, 100.0),
    (BUCKET, {"route": "/metrics", "le": "+Inf"}, 900.0),
    ("prediction_api_feedback_total", {"model": "iris", "version": "1", "result": "correct"}, 3.0),
    ("prediction_api_feedback_total", {"model": "iris", "version": "1", "result": "wrong"}, 1.0),
]
MONITOR = [
    ("loop_served_metric", {"model": "iris", "version": "1", "metric": "accuracy"}, 0.95),
    ("loop_last_run_timestamp_seconds", {"dag": "train_and_serve", "outcome": "served"}, 10.0),
    ("loop_last_run_timestamp_seconds", {"dag": "train_and_serve", "outcome": "rejected"}, 20.0),
    ("loop_last_run_timestamp_seconds", {"dag": "retention", "outcome": "failed"}, 30.0),
]


def test_they_are_those_of_predictions_alone():
    found = figures(API, MONITOR)
    assert (found.predictions, found.errors, found.refused) == (100, 4, 6)
    assert found.p95_seconds == 0.5
    assert found.live_accuracy == 0.75
    assert (found.accuracy, found.last_outcome) == (0.95, "rejected")
    line = in_words(found.as_json())
    assert line.startswith("100 predictions, 4 failed, 6 refused; p95 within 0.5 s")
    assert line.endswith("accuracy 0.950; live 0.750; last loop rejected")


def test_what_nobody_says_is_left_out():
    found = figures([], [])
    assert (found.predictions, found.p95_seconds, found.live_accuracy, found.accuracy) == (
        0,
        None,
        None,
        None,
    )
    assert in_words(found.as_json()) == "0 predictions, 0 failed, 0 refused"


def test_a_p95_beyond_the_last_bucket_is_not_known():
    everything_slow = [
        (BUCKET, {"route": "/predict", "le": le}, n) for le, n in (("5.0", 0.0), ("+Inf", 9.0))
    ]
    assert figures(everything_slow, []).p95_seconds is None


def test_where_prometheus_runs_nothing_is_asked():
    there = [Service(name, "http://127.0.0.1:9", True, True, "") for name in ("prometheus", "prediction-api")]
    assert key_figures(there) is None
    assert key_figures([]) is None
    found = key_figures(there[1:])
    assert found is not None
    assert found.predictions == 0
