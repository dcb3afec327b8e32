"""Runs one command as a process group that is ended as a whole."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ci.buildlog import BuildLog
from ci.errors import StepFailed, StepTimedOut, Stopped

GRACE = 5.0
PAUSE = 0.1


@dataclass(frozen=True)
class Runner:
    """Runs commands of one build; `stopping` ends them, `notice` hears of every new process group."""

    log: BuildLog
    stopping: threading.Event
    notice: Callable[[int], None]

    def run(self, argv: list[str], folder: Path, env: Mapping[str, str], deadline: float) -> None:
        """Run to the end, output to the log; `deadline` in seconds of the monotonic clock.

        Raises StepFailed, StepTimedOut or Stopped.
        """
        try:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StepFailed(f"cannot start {argv[0]}: {error.strerror}") from error
        try:
            self.notice(process.pid)
            self._follow(process, deadline)
        finally:
            end_group(process.pid)
            process.wait()
            process.stdout.close()
            self.log.end_line()
        self._judge(process.returncode)

    def _follow(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        """Copy output until the command ended; what its children still hold open is not waited for."""
        started = time.monotonic()
        os.set_blocking(process.stdout.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                ended = process.poll() is not None
                data = self._read(process, selector, 0 if ended else PAUSE)
                if ended and not data:
                    return
                if self.stopping.is_set():
                    raise Stopped("the server is ending")
                if time.monotonic() >= deadline:
                    raise StepTimedOut(f"no end after {time.monotonic() - started:.0f} s")

    def _read(self, process: subprocess.Popen[bytes], selector: selectors.BaseSelector, wait: float) -> bytes:
        if not selector.get_map():
            with suppress(subprocess.TimeoutExpired):
                process.wait(wait)
            return b""
        if not selector.select(wait):
            return b""
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            selector.unregister(process.stdout)
        self.log.write(data)
        return data

    def _judge(self, code: int) -> None:
        if code:
            how = f"exit {code}" if code > 0 else f"ended by signal {-code}"
            reason = self.log.reason()
            raise StepFailed(f"{how}: {reason}" if reason else how)


def end_group(leader: int) -> None:
    """End every process of a group: politely, after five seconds by force."""
    if not _signal(leader, signal.SIGTERM):
        return
    limit = time.monotonic() + GRACE
    while time.monotonic() < limit:
        if not _has_members(leader):
            return
        time.sleep(PAUSE / 2)
    _signal(leader, signal.SIGKILL)


def _signal(leader: int, number: int) -> bool:
    """Send to the group; whether there is one."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return False
    return True


def _has_members(leader: int) -> bool:
    """Whether a group has living members; orphans may stay zombies for seconds, no reason to wait."""
    if not _signal(leader, 0):
        return False
    try:
        done = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True)
    except OSError:
        return True
    members = (line.split() for line in done.stdout.splitlines())
    return any(group == str(leader) and not state.startswith("Z") for group, state in members)


def started_at(process: int) -> str:
    """When a process started, as ps writes it; empty where there is none or no ps."""
    try:
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(process)], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip()
