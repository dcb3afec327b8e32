"""Heads of main: unbuilt, building, red."""

import time

import pytest

NAME = "model_training"


@pytest.fixture
def status(world):
    def put(commit, state):
        row = {"id": 1, "context": "ci", "status": state, "description": "stage test: <b>2 failed</b>"}
        row |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:01:00Z"}
        world.statuses[commit] = [row]

    return put


@pytest.fixture
def push(repository):
    return lambda: repository(NAME).commit(str(time.monotonic_ns()))


def test_a_head_without_a_status_grows_older(monitor, push, status):
    commit = push()
    monitor.look()
    first = monitor.value("loop_head_unbuilt_seconds", NAME)
    time.sleep(0.02)
    assert monitor.value("loop_head_unbuilt_seconds", NAME) > first > 0
    status(commit, "pending")
    monitor.look()
    assert monitor.value("loop_head_unbuilt_seconds", NAME) == 0
    assert monitor.value("loop_builds_pending", NAME) == 1
    status(commit, "success")
    monitor.look()
    assert monitor.value("loop_builds_pending", NAME) == 0


def test_a_red_head_is_told_once(monitor, push, status):
    monitor.look()
    commit = push()
    status(commit, "failure")
    monitor.look()
    monitor.look()
    monitor = monitor.again()
    monitor.look()
    (message,) = monitor.messages()
    assert message["name"] == "LoopFailed"
    assert message["summary"] == f"{NAME} {commit[:12]} failed in ci: stage test: <b>2 failed</b>"
    assert message["labels"]["stage"] == "ci"
    assert message["at"] == "2026-01-01T00:01:00Z"


def test_a_head_that_is_red_at_the_first_look_is_no_news(monitor, push, status):
    status(push(), "failure")
    monitor.look()
    assert monitor.messages() == []


def test_a_build_that_turns_red_after_the_first_look_is_news(monitor, push, status):
    commit = push()
    status(commit, "pending")
    monitor.look()
    status(commit, "failure")
    monitor.look()
    assert len(monitor.messages()) == 1
