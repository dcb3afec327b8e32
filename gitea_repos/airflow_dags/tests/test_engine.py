"""What of containers needs no engine: references, names, lines, errors."""

import pytest

from loop.container import Job, execute
from loop.engine import check_image
from loop.errors import Failure, Unreachable
from loop.output import lines

IMAGE = f"registry:5000/model_training@sha256:{'a' * 64}"
JOB = Job("dag", "schedule-2026-01-01T06:00+1", "train", 3, IMAGE, ["x"], {}, {}, "2g", 2)


@pytest.mark.parametrize(
    "image",
    [
        "",
        f"env:sha256:{'a' * 64}",
        "registry:5000/model_training:latest",
        f"registry.invalid/model_training@sha256:{'a' * 64}",
        f"registry:5000/../x y@sha256:{'a' * 64}",
        f"{IMAGE}0",
    ],
)
def test_an_image_is_named_by_its_digest_in_the_store(image: str) -> None:
    assert check_image(IMAGE, "registry:5000") == IMAGE
    with pytest.raises(Failure, match="a container runs images of the form registry:5000/"):
        check_image(image, "registry:5000")


def test_a_name_holds_run_task_and_try_without_what_docker_forbids() -> None:
    assert JOB.name == "dag.schedule-2026-01-01T06_00_1.train.3"


def test_lines_may_be_cut_anywhere() -> None:
    text = "one\n\nzwei ä\nthe last has no end"
    data = text.encode()
    for size in (1, 2, 3, 100):
        chunks = [data[start : start + size] for start in range(0, len(data), size)]
        assert list(lines(chunks)) == text.split("\n")


def test_an_engine_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    with pytest.raises(Unreachable, match=r"^the Docker engine .* did not answer: .*refused"):
        execute(JOB, print)


def test_wrong_certificates_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/nowhere")
    with pytest.raises(Failure, match="DOCKER_CERT_PATH of the scheduler is wrong"):
        execute(JOB, print)
