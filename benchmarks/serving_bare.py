"""Call a model's own `predict` with a finished DataFrame again and again, in one thread, without HTTP.

`python serving_bare.py FOLDER ROWS SECONDS` prints one JSON object: calls per second;
p50, p99 and CPU in ms.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from serving_model import load_model, rows_of


def main() -> None:
    """Measure as the arguments say."""
    folder, rows, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    estimator, frame = load_model(folder), rows_of(rows)
    took: list[float] = []
    cpu, until = time.process_time(), time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        estimator.predict(frame)
        took.append(time.perf_counter() - started)
    cpu_ms = (time.process_time() - cpu) / len(took) * 1000
    cuts = statistics.quantiles([second * 1000 for second in took], n=100)
    figures = {"rps": len(took) / sum(took), "p50": cuts[49], "p99": cuts[98], "cpu_ms": cpu_ms}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
