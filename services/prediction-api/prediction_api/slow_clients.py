"""Ends connections on which nothing was answered for long: of clients that send a body slowly or never.

A thread of the server waits for such a body; WSGI knows no time limit, granian has one for heads alone. So
one thread of each worker looks at the figures of the kernel and ends the receiving half of such connections:
the body is over then, and the client reads 408. An idle connection that was kept alive ends so too.
"""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from prediction_api import logs

#: Open files of this process, Linux.
FILES = Path("/proc/self/fd")
#: In struct tcp_info of linux/tcp.h: milliseconds since data was sent last, or since the connection was made.
LAST_DATA_SENT = struct.Struct("=44xI")


class SlowClients(threading.Thread):
    """Looks at the connections to one port of this process."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(name="slow-clients", daemon=True)
        self._port = port
        self._seconds = seconds

    def run(self) -> None:
        """Look until the process ends."""
        while FILES.is_dir():
            time.sleep(self._seconds / 4)
            try:
                self.look()
            except Exception as error:  # the next look may do
                logs.write("error", "slow-clients", message=str(error), trace=logs.trace(error))

    def look(self) -> int:
        """End the connections that waited too long; how many."""
        ended = 0
        for connection in _connections(self._port):
            with connection, contextlib.suppress(OSError):  # it may have ended meanwhile
                if _silent_seconds(connection) > self._seconds:
                    connection.shutdown(socket.SHUT_RD)
                    ended += 1
        return ended


def _connections(port: int) -> Iterator[socket.socket]:
    """The connections that were made to a port of this process, as copies that the caller closes."""
    for name in os.listdir(FILES):
        with contextlib.suppress(OSError):  # no socket, or closed by now
            if not os.readlink(FILES / name).startswith("socket:"):
                continue
            copy = _socket_of(os.dup(int(name)))
            if _is_of(copy, port):
                yield copy
            else:
                copy.close()


def _socket_of(number: int) -> socket.socket:
    """The socket of that number, which is closed where it is none: it may be another file by now."""
    try:
        return socket.socket(fileno=number)
    except OSError:
        os.close(number)
        raise


def _is_of(copy: socket.socket, port: int) -> bool:
    if copy.type != socket.SOCK_STREAM or copy.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return copy.getsockname()[1] == port and bool(copy.getpeername())
    except OSError:  # the listening one has no peer
        return False


def _silent_seconds(connection: socket.socket) -> float:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAST_DATA_SENT.size)
    return LAST_DATA_SENT.unpack(info)[0] / 1000
