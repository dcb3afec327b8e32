"""Following a loop: through a service that starts again, not through a sandbox that is stopped."""

from types import SimpleNamespace

import pytest

from sandbox import trace
from sandbox.errors import LoopError, ServiceError
from sandbox.receipt import Receipt, Stage


@pytest.fixture
def context():
    """A sandbox of which one service runs."""
    services = [SimpleNamespace(running=False), SimpleNamespace(running=True)]
    return SimpleNamespace(driver=SimpleNamespace(services=lambda: services))


def test_a_stopped_sandbox_is_said_at_once(context, monkeypatch):
    def away(*_):
        raise ServiceError("no connection")

    monkeypatch.setattr(trace, "trace", away)
    context.driver.services = lambda: [SimpleNamespace(running=False)]
    with pytest.raises(LoopError, match="stopped") as caught:
        trace.follow(context, "abc", 60)
    assert caught.value.hint == "Run: make up, then: make trace REF=abc"


def test_a_service_that_starts_again_is_waited_for(context, monkeypatch):
    answers = [ServiceError("no connection"), Receipt("abc", "", "", "passed", 1.0)]

    def look(*_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(trace, "trace", look)
    assert trace.follow(context, "abc", 60).state == "passed"


def test_broken_raw_data_are_told_apart_from_a_broken_commit(capsys):
    detail = "Validation: column sepal_length breaks rule max 30.0 with 70.0 in line 52."
    trace.show_receipt(Receipt("abc", "", "", "failed", 1.0, [Stage("data", "failed", detail=detail)]))
    assert "make data-push FILE=" in capsys.readouterr().out
