"""The HTTP server as this service wants it: one place, for the command and for benchmarks."""

from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces

from prediction_api import logs

#: Seconds a worker gets to finish its requests.
STOP_SECONDS = 10
#: Requests one worker holds at once: so many clients, less one, may send their bodies slowly and stop nobody.
BLOCKING_THREADS = 16


def make_server(target: str, host: str, port: int, workers: int, **options: Any) -> Granian:
    """A server of the WSGI application that `target` names as `module:name`; `options` are granian's."""
    return Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=workers,
        blocking_threads=BLOCKING_THREADS,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_dictconfig=logs.library_logging(),
        **options,
    )
