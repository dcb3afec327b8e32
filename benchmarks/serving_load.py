"""One run of the benchmark: load by wrk on a server, or a loop around `predict`."""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from servers import plain_environment
from serving_servers import ENVIRON, HERE, Server


@dataclass(frozen=True)
class Measured:
    """Requests or calls per second; latencies in ms; failed requests; the server's CPU ms per request, which
    a busy machine changes least; wrk's share of a core.
    """

    rps: float
    p50: float
    p99: float
    errors: int
    cpu_ms: float
    client_cpu: float


def load_http(server: Server, connections: int, body: Path, seconds: float) -> Measured:
    """POST the body over so many connections, as fast as answers come."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s"]
    argv += ["-s", str(HERE / "serving.lua"), server.url, "--", str(body)]
    started, client, work = time.perf_counter(), _client_cpu(), server.cpu()
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    took, client, work = time.perf_counter() - started, _client_cpu() - client, server.cpu() - work
    said = json.loads(done.stdout.splitlines()[-1])
    cpu_ms = work * 1000 / max(said.pop("requests"), 1)
    return Measured(**said, cpu_ms=cpu_ms, client_cpu=client / took)


def run_bare(model: Path, rows: int, seconds: float) -> Measured:
    """Call `predict` in a process of its own."""
    argv = [sys.executable, str(HERE / "serving_bare.py"), str(model), str(rows), f"{seconds:g}"]
    environ = plain_environment() | ENVIRON
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]), errors=0, client_cpu=0)


def _client_cpu() -> float:
    """CPU seconds of all finished child processes: while the servers run, these are clients."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
