"""A service that was killed leaves children; its next start ends them and nothing else."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from sandbox.drivers import clean_start
from sandbox.drivers.clean_start import leftovers
from sandbox.wait import wait_until

# As supervisord does: a session of its own, services as children. Each line of input is a shell command.
SUPERVISOR = """
import subprocess, sys
for line in sys.stdin:
    print(subprocess.Popen(line, shell=True, process_group=0, stdout=sys.stderr).pid, flush=True)
"""
SERVICE = "sleep 300 & sleep 300"
PATIENCE = 10


class Supervisor:
    """A process that starts services in its own session."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", SUPERVISOR]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)

    def start(self, command: str, children: int = 0) -> psutil.Process:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        service = psutil.Process(int(self.process.stdout.readline()))
        if children:
            wait_until(lambda: len(service.children()) == children, what="its children", seconds=PATIENCE)
        return service

    def leftovers(self) -> list[psutil.Process]:
        return leftovers(self.process.pid, self.process.pid)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor()
    yield made
    for process in [*psutil.Process(made.process.pid).children(recursive=True), *made.leftovers()]:
        process.kill()
    made.process.communicate()


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_the_children_of_a_killed_service_are_ended_by_the_next_start(supervisor):
    well, killed = supervisor.start(SERVICE, children=2), supervisor.start(SERVICE, children=2)
    assert supervisor.leftovers() == []
    children = killed.children()
    killed.kill()
    wait_until(lambda: len(supervisor.leftovers()) == 2, what="two orphans", seconds=PATIENCE)
    assert set(supervisor.leftovers()) == set(children)
    again = supervisor.start(f"exec {sys.executable} -I {clean_start.__file__} /bin/sleep 301")
    wait_until(lambda: again.name() == "sleep", what="the service", seconds=PATIENCE)
    assert not any(map(lives, children))
    assert all(map(lives, [well, *well.children()]))


def test_a_program_with_a_session_of_its_own_is_nobodys_leftover(supervisor):
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as own:
        try:
            assert psutil.Process(own.pid) not in supervisor.leftovers()
        finally:
            own.kill()
