"""Patience with a service that is restarting."""

import pytest

from sandbox.errors import ServiceError
from sandbox.http import ApiError
from sandbox.steps.patience import patiently


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
