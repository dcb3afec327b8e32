"""Runs a command that cannot outlive its starter: `python leash.py ARGV…`.

Standard input is the leash. The starter holds its other end and never writes; when the starter is gone, by
`kill -9` too, the end closes and the command's whole process group is ended. It works alike on Linux and
macOS and needs the standard library alone, so that `python -I -S` starts it in a few milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

GRACE = 3.0  # seconds between asking and forcing; Airflow itself forces after five


def main(argv: list[str]) -> int:
    """Run the command; its exit status, or 128 and its signal's number, as a shell says it."""
    try:
        # A group of its own, so that ending the group does not end the one who does it.
        command = subprocess.Popen(argv, stdin=subprocess.DEVNULL, process_group=0)  # noqa: S603 -- no shell
    except OSError as error:
        os.write(2, f"{argv[0]} cannot be started: {error.strerror}\n".encode())
        return 127
    threading.Thread(target=follow, args=(command,), daemon=True).start()
    status = command.wait()
    send(command, signal.SIGKILL)  # what the command left behind has no business any more
    return status if status >= 0 else 128 - status


def follow(command: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of standard input, then end the command's group."""
    while os.read(0, 1024):
        pass
    send(command, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        command.wait(GRACE)
    send(command, signal.SIGKILL)


def send(command: "subprocess.Popen[bytes]", number: int) -> None:
    """Signal the command's group, if there is anyone left in it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(command.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
