"""`monitor`: serve until SIGTERM, looking every MONITOR_POLL_SECONDS."""

import logging
import signal
import sqlite3
import sys

import waitress

from monitor.app import create_app
from monitor.errors import MonitorError
from monitor.settings import Settings
from monitor.store import Store
from monitor.watch import Watch

THREADS = 4


def main() -> int:
    """0 after SIGTERM, 1 with the reason where it cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # waitress ends what it serves
    try:
        serve(Settings.from_env())
    except MonitorError as error:
        sys.stderr.write(f"monitor: {error}\n")
        return 1
    return 0


def serve(settings: Settings) -> None:
    """Look and answer. Raises MonitorError where folder or port cannot be used."""
    try:
        store = Store(settings.home)
    except (OSError, sqlite3.Error) as error:
        raise MonitorError(f"Cannot keep anything in {settings.home} (MONITOR_HOME): {error}") from error
    watch = Watch(store, settings)
    try:
        server = waitress.create_server(
            create_app(store, watch), host=settings.host, port=settings.port, threads=THREADS, ident=""
        )
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise MonitorError(f"Cannot listen at {place} (MONITOR_PORT): {error.strerror}") from error
    watch.start()
    try:
        server.run()
    finally:
        watch.stop()
        store.close()


if __name__ == "__main__":
    sys.exit(main())
