"""`sandbox load`: asks the served model about its own test rows, says how it goes, draws the latencies."""

from typing import Any

from sandbox import console
from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.load import Load, latencies, summary
from sandbox.wait import Deadline, pause

ROWS_FILE = "verification.json"  # of the model's run (docs/architecture.md, seam 7)
SAY_EVERY = 5  # seconds
FEWEST_COLUMNS, MOST_COLUMNS, LINES = 20, 100, 16  # of the plot


def run_load(context: Context, rate: float, seconds: float, size: int) -> dict[str, Any]:
    """Ask for `seconds`, or until Ctrl-C; what came of it. Raises LoopError where nothing is served."""
    rows = served_rows(context)
    console.step(f"{rate:g} requests a second of {size} row(s), {seconds:g} s; Ctrl-C ends it earlier")
    load = Load(context.new_prediction_api, rows, rate, size)
    try:
        with load:
            _watch(load, Deadline(seconds))
    except KeyboardInterrupt:
        console.note("stopped by you; this is what was measured")
    return summary(load, rate)


def served_rows(context: Context) -> list[Any]:
    """Test rows of the served model, as its training kept them. Raises LoopError where there are none."""
    served = context.prediction_api.model()
    if not served:
        raise LoopError("No model is served.", "Run: make up, or make status to see why")
    version = context.mlflow.version(served["name"], served["version"])
    kept = context.mlflow.artifact(version["run_id"], ROWS_FILE) if version else None
    if not kept:
        raise LoopError(
            f"MLflow has no {ROWS_FILE} of {served['name']} version {served['version']}.",
            "Serve a version that the loop has trained: make demo",
        )
    return list(kept["instances"])


def show_load(found: dict[str, Any]) -> None:
    """The same for people."""
    versions = ", ".join(f"version {version}: {count}" for version, count in found["versions"].items())
    console.say(
        f"{found['requests']} requests in {found['seconds']} s, {found['reached_rps']} a second, "
        f"{found['failed']} failed; {versions or 'no answer'}"
    )
    if found["unsent"]:
        missed = f"{found['unsent']} more were due"
        console.note(f"{missed}: the API, or this machine, cannot do {found['rate']:g} a second")
    console.say("  ".join(f"{name} {value} ms" for name, value in found["latency_ms"].items()))
    if found["failed"]:
        console.problem(
            f"the first failure: {found['first_failure']}", "Look: make logs SERVICE=prediction-api"
        )
    if len(found["by_second"]) > 1:
        console.say(plot(found["by_second"]))


def plot(by_second: list[dict[str, Any]]) -> str:
    """Latencies over the seconds of the test, as text."""
    import uniplot  # loads NumPy, a third of a second that no other command need wait

    names, at = ["p50", "p99"], [each["second"] for each in by_second]
    drawn = uniplot.plot_to_string(
        xs=[at for _ in names],
        ys=[[each[name] for each in by_second] for name in names],
        legend_labels=names,
        lines=True,
        y_min=0,
        width=max(FEWEST_COLUMNS, min(MOST_COLUMNS, console.out.width - 10)),
        height=LINES,
        color=["blue", "red"] if console.out.is_terminal else False,
        title="latency in ms, by second",
    )
    return str(drawn)


def _watch(load: Load, deadline: Deadline) -> None:
    second = 0
    while not deadline.passed():
        pause(1.0)
        second += 1
        if second % SAY_EVERY == 0:
            recent = [each for each in load.answered if each.at >= second - SAY_EVERY]
            failed = sum(each.status != 200 for each in recent)
            times = latencies(recent)
            if not recent:
                console.news(f"{second:>4} s  no answer")
                continue
            console.news(
                f"{second:>4} s  {len(recent) / SAY_EVERY:.0f} a second, {failed} failed, "
                f"p50 {times.get('p50', 0)} ms, p99 {times.get('p99', 0)} ms"
            )
