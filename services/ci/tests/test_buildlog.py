"""Logs are bounded, hold no secrets, and the reason of a failure is found in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.buildlog import BuildLog, read_log


def test_a_long_log_loses_its_middle_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    with BuildLog(path, limit=10_000) as log:
        for number in range(20_000):
            log.write(b"line %d\n" % number)
    text = path.read_text()
    assert len(text) <= 10_000
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 19998\nline 19999\n")
    (note,) = [line for line in text.splitlines() if not line.startswith("line ")]
    assert note.endswith("bytes of the middle of this log were cut …]")
    assert int(note.split()[1]) > 150_000


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "1.log", limit=100_000) as log:
        for _ in range(100):
            log.write(b"x" * 10_000)
        assert len(log.rest) < 20_000
    assert (tmp_path / "1.log").stat().st_size <= 100_000


def test_secrets_are_masked_even_in_pieces(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "1.log", ["very-secret", "ab"]) as log:
        log.write(b"token very-")
        log.write(b"secret ab\n")
        assert log.reason() == "token **** ab"
    assert (tmp_path / "1.log").read_text() == "token **** ab\n"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            "E   assert 1 == 2\n=== 1 failed in 0.03s ===\nmake: *** [Makefile:2: test] Error 1\n",
            "1 failed in 0.03s",
        ),
        ("+ make x\n\x1b[31mred: broken\x1b[0m\n-----\n\nmake[1]: Leaving\n", "red: broken"),
        ("10%\r50%\rdone badly\n", "done badly"),
        ("+ false\n", ""),
        ("\xff\n", "ÿ"),
    ],
)
def test_the_reason_is_the_last_line_that_says_something(tmp_path: Path, lines: str, reason: str) -> None:
    with BuildLog(tmp_path / "1.log") as log:
        log.write(lines.encode())
        assert log.reason() == reason


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == ""
