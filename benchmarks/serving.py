"""How fast the prediction API answers, beside `mlflow models serve`: `make bench-serving`.

Both serve the model that the iris project of `gitea_repos/model_training` trains, one process each, and get
the same bodies from wrk. Ours runs as it is shipped: validation, headers, JSON log, metrics and
prediction log on. Beside them: a route that only answers, on our server, and `predict` in a loop without
HTTP. All run one after the other, in rounds, so that a slow minute of the machine meets all of them; a server
that is not asked idles. The table and the ratios are medians over the rounds. `CPU ms` is the server's per
request, `client CPU` the share of a core that wrk took. The last line of the output is one JSON object.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import mlflow
from serving_load import Measured, load_http, run_bare
from serving_model import train, write_body
from serving_servers import EMPTY, MLFLOW, OURS, Server, agree, start_servers

BARE = "bare predict"
ROWS = (1, 100)
CONNECTIONS = (1, 16, 64)
#: The lines of the table that the ratios are about.
RATIO_ROWS, RATIO_CONNECTIONS = 1, 16

#: Who, how many rows, how many connections.
Key = tuple[str, int, int]
Results = dict[Key, list[Measured]]


def main() -> int:
    """Measure and print; 1 where wrk is missing or a request failed."""
    parser = argparse.ArgumentParser(description="Measure serving beside `mlflow models serve`.")
    parser.add_argument("--seconds", type=float, default=5, help="length of one run (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default 3)")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.stderr.write("bench-serving needs wrk, which makes the load: apt-get install wrk.\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as folder, ExitStack() as stack:
        results = _repeat(_prepare(Path(folder), stack, options.seconds), options.rounds)
    _show({key: _median(runs) for key, runs in results.items()})
    return 1 if any(run.errors for runs in results.values() for run in runs) else 0


def _prepare(folder: Path, stack: ExitStack, seconds: float) -> dict[Key, Callable[[], Measured]]:
    """Train, start the servers; returns what one round runs."""
    _say("training the model and starting the servers")
    trained, model = train(), folder / "model"
    mlflow.sklearn.save_model(path=str(model), **trained.arguments())
    bodies = {rows: write_body(rows, folder) for rows in ROWS}
    servers = start_servers(trained, model, folder, stack)
    agree(servers, bodies[ROWS[-1]])
    return _runs(servers, bodies, model, seconds)


def _runs(
    servers: dict[str, Server], bodies: dict[int, Path], model: Path, seconds: float
) -> dict[Key, Callable[[], Measured]]:
    """The contestants alternate within each line of the table."""
    runs: dict[Key, Callable[[], Measured]] = {}
    for rows, body in bodies.items():
        runs[BARE, rows, 0] = partial(run_bare, model, rows, seconds)
        for connections in CONNECTIONS:
            for name, server in servers.items():
                runs[name, rows, connections] = partial(load_http, server, connections, body, seconds)
    return runs


def _repeat(runs: dict[Key, Callable[[], Measured]], rounds: int) -> Results:
    results: Results = defaultdict(list)
    for number in range(rounds):
        for key, run in runs.items():
            results[key].append(found := run())
            name, rows, connections = key
            _say(
                f"round {number + 1}/{rounds}  {name}, {rows} rows, {connections} connections: "
                f"{found.rps:.0f}/s, p99 {found.p99:.1f} ms, CPU {found.cpu_ms:.3f} ms"
            )
    return results


def _median(runs: list[Measured]) -> Measured:
    def of(name: str) -> float:
        return statistics.median(getattr(run, name) for run in runs)

    errors = sum(run.errors for run in runs)
    return Measured(of("rps"), of("p50"), of("p99"), errors, of("cpu_ms"), of("client_cpu"))


def _show(middle: dict[Key, Measured]) -> None:
    titles = f"{'req/s':>9}{'p50 ms':>10}{'p99 ms':>10}{'errors':>8}{'CPU ms':>9}{'client CPU':>12}"
    _say(f"\n{'':21}{'rows':>5}{'connections':>13}{titles}")
    for (name, rows, connections), run in sorted(middle.items(), key=lambda item: item[0][1:]):
        latency = f"{run.rps:>9.0f}{run.p50:>10.2f}{run.p99:>10.2f}{run.errors:>8}"
        cpu = f"{run.cpu_ms:>9.3f}{run.client_cpu:>12.0%}"
        _say(f"{name:21}{rows:>5}{connections or 'none':>13}{latency}{cpu}")
    _say(json.dumps(_ratios(middle)))


def _ratios(middle: dict[Key, Measured]) -> dict[str, float]:
    ours, theirs, empty = (middle[name, RATIO_ROWS, RATIO_CONNECTIONS] for name in (OURS, MLFLOW, EMPTY))
    ratios = {
        "ratio_rps": ours.rps / theirs.rps,
        "ratio_p99": ours.p99 / theirs.p99,
        "of_bare_predict": ours.rps / middle[BARE, RATIO_ROWS, 0].rps,
        "of_empty_route": ours.rps / empty.rps,
        "ratio_cpu": ours.cpu_ms / theirs.cpu_ms,
    }
    return {name: round(ratio, 3) for name, ratio in ratios.items()}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
