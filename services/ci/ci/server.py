"""`ci serve`: one process that answers HTTP and builds, under a parent that only watches it."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import IO

from flask import Flask

from ci.app import Ci, create_app
from ci.errors import CiError
from ci.queue import BuildQueue
from ci.settings import ServerSettings

HTTP_THREADS = 3
GIT_THREADS = 32  # with Git over HTTP: git_http.THREADS for clones and pushes, the rest for hooks and health
END_SECONDS = 30
ENDING = (signal.SIGTERM, signal.SIGINT)
NUDGE = signal.SIGURG  # nothing else uses it
# what a killed server leaves needs a moment to end its steps
PATIENCE = 7.0


def serve() -> None:
    """Serve until SIGTERM. Raises CiError where the port or CI_HOME is taken or a setting is wrong."""
    from granian import Granian
    from granian.constants import Interfaces

    settings = ServerSettings.from_env()
    with lock(settings.home):
        check_port(settings.host, settings.port)
        server = Granian(
            "ci.server:application",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            workers=1,  # the queue lives in the worker: there is only ever one
            blocking_threads=GIT_THREADS if settings.git_http else HTTP_THREADS,
            websockets=False,
            workers_kill_timeout=END_SECONDS,
            factory=True,
        )
        server.on_startup(ignore_reload)
        guard_fork()
        server.serve()


def ignore_reload() -> None:
    """A reload would start a second queue before the first one ends."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def guard_fork() -> None:
    """Let no signal be lost at the birth of the worker: the handlers it inherits would only note it."""
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ENDING),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING),
        after_in_child=take_signals,
    )


def take_signals() -> None:
    """End a worker at once that has not started anything yet."""
    for number in ENDING:
        signal.signal(number, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def application() -> Flask:
    """The application in the process that serves it, its queue at work."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for number in ENDING:  # until granian sets its own
        signal.signal(number, leave)
    listen_to_nudges()
    app = create_app(ServerSettings.from_env())
    ci: Ci = app.extensions["ci"]
    threading.Thread(target=stop_at_end, args=(ci.queue, os.getppid()), name="stop").start()
    ci.queue.start()
    return app


def leave(number: int, frame: object) -> None:  # noqa: ARG001
    """End a server that is still starting."""
    sys.exit(0)


def listen_to_nudges() -> None:
    """Let a nudge interrupt what the main thread waits for: Python then runs the handlers that are due."""
    signal.signal(NUDGE, lambda *_: None)


def stop_at_end(queue: BuildQueue, parent: int) -> None:
    """Stop the queue when this process has done serving, and this process when its parent is gone.

    A signal in the moment in which the main thread begins to wait does not wake it, and its handler would
    never run: so the main thread is nudged now and then.
    """
    main = threading.main_thread()
    while main.is_alive():
        main.join(0.5)
        if os.getppid() != parent:
            parent = os.getppid()  # tell it once: granian's handler has room for no third signal
            os.kill(os.getpid(), signal.SIGTERM)
        signal.pthread_kill(main.ident or 0, NUDGE)
    queue.stop()


def check_port(host: str, port: int) -> None:
    """Raise CiError where something listens already: two servers would share the port in silence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CiError(f"Cannot listen at {host}:{port} (CI_PORT): {error.strerror}.") from error


def lock(home: Path) -> IO[str]:
    """A lock on the state folder, held until the file is closed. Raises CiError."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "lock").open("a+")
    except OSError as error:
        raise CiError(f"Cannot write to {home} (CI_HOME): {error.strerror}.") from error
    limit = time.monotonic() + PATIENCE
    while not try_lock(file):
        if is_alive(owner(file)) or time.monotonic() > limit:
            file.close()
            raise CiError(f"Another CI server works in {home} (CI_HOME); stop it first.")
        time.sleep(0.1)
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def try_lock(file: IO[str]) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def owner(file: IO[str]) -> int:
    """The process that wrote itself into the lock; 0 where there is none."""
    file.seek(0)
    text = file.read()
    return int(text) if text.isdecimal() else 0


def is_alive(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0
