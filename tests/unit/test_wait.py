"""Waiting ends with the answer, or with what was seen last."""

import pytest

from sandbox.errors import ServiceError
from sandbox.http import ApiError
from sandbox.wait import patiently, wait_until


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


def test_it_calls_again_while_the_service_is_away():
    answers = iter([ApiError("away"), ApiError("away"), "there"])

    def call() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(call, ApiError, 30) == "there"


def test_another_error_is_raised_at_once():
    calls = []

    def call() -> None:
        calls.append(1)
        raise ServiceError("wrong password")

    with pytest.raises(ServiceError, match="wrong password"):
        patiently(call, ApiError, 30)
    assert len(calls) == 1


def test_patience_ends():
    def call() -> None:
        raise ApiError("away")

    with pytest.raises(ApiError, match="away"):
        patiently(call, ApiError, 0)
