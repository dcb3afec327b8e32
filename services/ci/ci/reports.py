"""What a stage's JUnit reports say of the tests that failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from xml.etree.ElementTree import ParseError

from junitparser import JUnitXml, JUnitXmlError, TestCase, TestSuite

from ci.pipeline import Report, Stage

LONGEST = 90  # characters of a name, so that the status has room for the rest


def failed_tests(folder: Path, stage: Stage, since: float) -> str:
    """`; failed: tests.test_a.test_b and 2 more`, from reports written after `since` (seconds of the epoch).

    Empty where no test failed or no report can be read: the stage has failed anyway.
    """
    paths = dict.fromkeys(_reports(folder, stage))
    names = [name for path in paths if _written(path) >= since for name in _failed(path)]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"; failed: {' '.join(names[0].split())[:LONGEST]}{more}" if names else ""


def _reports(folder: Path, stage: Stage) -> Iterator[Path]:
    for step in stage.post.steps(passed=False):
        if isinstance(step, Report) and step.name == "junit":
            for pattern in filter(None, (part.strip().lstrip("/") for part in step.files.split(","))):
                with suppress(ValueError):  # a pattern of Ant that Python's glob does not know
                    yield from sorted(folder.glob(pattern))


def _written(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0


def _failed(path: Path) -> Iterator[str]:
    try:
        report = JUnitXml.fromfile(str(path))
    except (OSError, ParseError, JUnitXmlError, ValueError, LookupError):  # also of its encoding
        return
    for suite in [report] if isinstance(report, TestSuite) else report:
        for case in suite:
            if isinstance(case, TestCase) and (case.is_failure or case.is_error):
                yield ".".join(filter(None, (case.classname, case.name)))
