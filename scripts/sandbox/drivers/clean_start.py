"""Becomes a service once nothing is left of one that was killed: `python -I clean_start.py ARGV…`.

A server ended by force leaves its children: they hold its port, or go on with work that its next start does
again. supervisord opens a session, and its services' processes are all in it, but for builds and tasks'
programs, which see to their own end. What is there and no longer comes from supervisord is a leftover.
Run by its path at each start of a service: it imports nothing of ours.
"""

import contextlib
import os
import sys

import psutil

SECONDS = 5  # for killed processes to be gone


def main(argv: list[str]) -> None:
    """End the leftovers, then run the command in this very process, as supervisord expects."""
    found = leftovers(os.getppid(), os.getsid(0))
    for process in found:
        with contextlib.suppress(psutil.Error):
            os.write(1, f"ending {process.pid} ({process.name()}), left by a killed service\n".encode())
            process.kill()
    psutil.wait_procs(found, timeout=SECONDS)
    os.execv(argv[0], argv)


def leftovers(supervisor: int, session: int) -> list[psutil.Process]:
    """The processes of a session that do not descend from its supervisor any more."""
    return [process for process in psutil.process_iter() if _is_left(process, supervisor, session)]


def _is_left(process: psutil.Process, supervisor: int, session: int) -> bool:
    try:
        if os.getsid(process.pid) != session:
            return False
        line = [process, *process.parents()]
        return process.status() != psutil.STATUS_ZOMBIE and all(each.pid != supervisor for each in line)
    except (psutil.Error, OSError):
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
