"""Runs the steps of a pipeline."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ci.errors import StepFailed, StepTimedOut
from ci.pipeline import Checkout, Echo, Report, Retry, Shell, Step, Timeout
from ci.process import Runner


@dataclass(frozen=True)
class Execution:
    """Where and how steps run; `deadline` in seconds of the monotonic clock."""

    runner: Runner
    folder: Path
    env: Mapping[str, str]
    deadline: float

    def until(self, seconds: int | None) -> Execution:
        """The same, ended after so many seconds at the latest."""
        if seconds is None:
            return self
        return replace(self, deadline=min(self.deadline, time.monotonic() + seconds))

    def run(self, steps: tuple[Step, ...]) -> None:
        """Run steps in order. Raises StepFailed, StepTimedOut or Stopped at the first that fails."""
        for step in steps:
            self._run_step(step)

    def _run_step(self, step: Step) -> None:
        match step:
            case Shell(script):
                # -x echoes each command, -e ends at the first that fails: what Jenkins' sh does
                self.runner.run(["/bin/sh", "-xe", "-c", script], self.folder, self.env, self.deadline)
            case Echo(message):
                self.runner.log.say(message)
            case Checkout():
                self.runner.log.say("checkout scm: the tree is already here")
            case Report(name, files):
                self.runner.log.say(f"{name} {files}: left in the workspace")
            case Retry(times, steps):
                self._retry(times, steps)
            case Timeout(seconds, steps):
                self.until(seconds).run(steps)

    def _retry(self, times: int, steps: tuple[Step, ...]) -> None:
        for attempt in range(1, times + 1):
            try:
                return self.run(steps)
            except StepTimedOut:
                raise
            except StepFailed as error:
                if attempt == times:
                    raise
                self.runner.log.say(f"retry: attempt {attempt} of {times} failed ({error})")
