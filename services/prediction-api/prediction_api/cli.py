"""The command `prediction-api`: prepares the folder of the instance and runs the server."""

import argparse
import fcntl
import multiprocessing
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

from prediction_api.errors import StartError
from prediction_api.server import make_server
from prediction_api.settings import Settings

#: Seconds that the workers of a killed instance get to notice and leave.
LOCK_SECONDS = 5.0


def main(argv: list[str] | None = None) -> int:
    """Run the service until SIGTERM or Ctrl-C; 1 with one sentence if it cannot start."""
    parser = argparse.ArgumentParser(
        prog="prediction-api", description="Serve the champion of an MLflow registry."
    )
    parser.epilog = "Settings come from the environment; README.md lists them."
    parser.parse_args(argv)
    try:
        settings = Settings.from_env()
        with _own(settings.home):
            _check_port(settings.host, settings.port)
            _prepare(settings)
            _serve(settings)
    except StartError as error:
        sys.stderr.write(f"prediction-api: {error}\n")
        return 1
    return 0


def _own(home: Path) -> TextIO:
    """Lock the folder: a second instance would wipe the first one's counts."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".lock").open("a")
    except OSError as error:
        raise StartError(f"API_HOME={home} cannot be used: {error.strerror}.") from error
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            if time.monotonic() > until:
                raise StartError(
                    f"Another prediction-api uses API_HOME={home}; stop it or name another folder."
                ) from None
            time.sleep(0.1)


def _check_port(host: str, port: int) -> None:
    """Bind once before the server does, whose own message is a stack trace."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or error
        raise StartError(
            f"{host} port {port} cannot be listened on: {reason}; set API_HOST or API_PORT."
        ) from error


def _prepare(settings: Settings) -> None:
    for folder in (settings.metrics_folder, settings.workers_folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    # prometheus_client reads this when it is imported, the maths libraries theirs when numpy is.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.metrics_folder)
    # Rows are few and workers are processes: more threads in one would only compete.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def _serve(settings: Settings) -> None:
    if multiprocessing.get_start_method() == "fork":
        # Loaded once here, the libraries are shared memory of all workers.
        import prediction_api.application  # noqa: F401
    server = make_server(
        "prediction_api.application:build",
        settings.host,
        settings.port,
        settings.workers,
        factory=True,
    )
    server.serve()
