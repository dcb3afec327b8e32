"""Waiting ends with the answer, or with what was seen last."""

import pytest

from sandbox.errors import ServiceError
from sandbox.wait import wait_until


def test_the_first_true_answer_is_returned():
    answers = iter([None, 0, "yes"])
    assert wait_until(lambda: next(answers), what="it", seconds=5, interval=0) == "yes"


def test_the_last_failure_seen_is_named_with_the_hint():
    def look():
        raise ServiceError("connection refused")

    with pytest.raises(ServiceError) as caught:
        wait_until(look, what="MLflow", seconds=0, hint="Run: make logs", interval=0)
    assert "MLflow" in str(caught.value)
    assert "connection refused" in str(caught.value)
    assert caught.value.hint == "Run: make logs"
