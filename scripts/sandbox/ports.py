"""Ports: who holds one, and the next free one."""

import socket

import psutil

from sandbox.errors import MachineError

HOST = "127.0.0.1"
SEARCHED = 200  # ports looked at above a taken one


def is_free(port: int) -> bool:
    """Whether a server could bind the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def next_free(port: int, taken: set[int]) -> int:
    """The first free port above `port` that is not in `taken`. Raises MachineError if there is none."""
    for candidate in range(port + 1, min(port + SEARCHED, 65536)):
        if candidate not in taken and is_free(candidate):
            return candidate
    raise MachineError(f"No free port between {port} and {port + SEARCHED}.", "Choose other ports in .env")


def holder(port: int) -> str:
    """The process that listens on the port, as `name (pid n)`; one of another user may stay unnamed."""
    try:
        for connection in psutil.net_connections("inet"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, ValueError, TypeError):
        pass
    return "another process"
