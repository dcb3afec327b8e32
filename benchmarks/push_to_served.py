"""`make bench-loop`: push → served beside the same work by hand, on the running embedded sandbox.

In each round three commits go both ways, by hand first:
  first      to model_training, with raw data that nobody has seen: a new data version is made
  second     to model_training, everything else as before
  unchanged  to data_preprocessing, which leaves the data version as it was
The last line of the output is one JSON object; seconds are medians over all of them, memory is MiB of PSS.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median

from hand import Hand
from memory import Peak, memory_of
from pushed import Measured, commit_something, measure_push

from sandbox import console
from sandbox.clone import clone_repository
from sandbox.context import Context
from sandbox.errors import LoopError, SandboxError
from sandbox.git import git
from sandbox.raw_store import raw_store
from sandbox.settings import ROOT
from sandbox.wait import pause

KINDS = {"first": "model_training", "second": "model_training", "unchanged": "data_preprocessing"}
RAW = "iris.csv"
REST = 20.0  # seconds before the memory of an idle sandbox is read

Both = dict[str, list[Measured]]


class Bench:
    """One benchmark on one sandbox; `scratch` holds its clones."""

    def __init__(self, context: Context, scratch: Path, kinds: list[str]) -> None:
        self.context = context
        self.kinds = {kind: KINDS[kind] for kind in kinds}
        self.hand = Hand(context, scratch / "hand")
        self.clones = scratch / "clones"
        self.rows = 0
        self.found: dict[str, Both] = {kind: {"loop": [], "by_hand": []} for kind in kinds}

    def prepare(self) -> None:
        """Clones, mirrors, and one commit by hand that warms what a first call makes."""
        console.step("warming up: clones, environments, one loop by hand")
        self.hand.prepare()
        for name in sorted(set(self.kinds.values())):
            clone_repository(self.context, name, self.clones / name)
            self.hand.measure(name)

    def round(self, number: int) -> None:
        """Each kind of commit by hand, then pushed."""
        for kind, repository in self.kinds.items():
            ways: dict[str, Callable[[str], Measured]] = {"by_hand": self.hand.measure, "loop": self.push}
            for way, measure in ways.items():
                console.step(f"round {number}, {kind}, {way}")
                if kind == "first":
                    self._new_data()
                measured = measure(repository)
                self.found[kind][way].append(measured)
                load = os.getloadavg()[0]
                console.done(f"round {number}, {kind}, {way}: {measured.seconds:.1f} s (load {load:.1f})")

    def push(self, repository: str) -> Measured:
        """The loop of a harmless commit to the sandbox's repository."""
        folder = self.clones / repository
        git("pull", "--quiet", "--rebase", "origin", "main", folder=folder)
        commit_something(folder, "A benchmark")
        return measure_push(self.context, repository, folder)

    def _new_data(self) -> None:
        """One more flower, far from the others' borders: another data version, as good a model."""
        self.rows += 1
        text = (self.context.endpoints.data.folder / RAW).read_bytes().rstrip(b"\n")
        row = f"\n{5 + self.rows / 100:.2f},3.41,1.52,0.21,setosa\n".encode()
        raw_store(self.context).put(RAW, BytesIO(text + row))


@contextmanager
def raw_data_as_before(context: Context) -> Iterator[None]:
    """Put the raw file back at the end."""
    before = (context.endpoints.data.folder / RAW).read_bytes()
    try:
        yield
    finally:
        raw_store(context).put(RAW, BytesIO(before))


def seconds_of(found: dict[str, Both], way: str, kind: str = "") -> list[float]:
    """The seconds of one way, of one kind of commit or of all."""
    return [each.seconds for name, both in found.items() if kind in ("", name) for each in both[way]]


def spread(values: list[float]) -> str:
    """Median and range, in seconds."""
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def show_kinds(found: dict[str, Both]) -> None:
    """A line for each kind of commit."""
    rows = []
    for kind in (*found, ""):
        pushed, hand = seconds_of(found, "loop", kind), seconds_of(found, "by_hand", kind)
        ratio = f"{median(pushed) / median(hand):.2f}"
        rows.append([kind or "all", spread(pushed), spread(hand), ratio])
    console.say("\nSeconds: median (smallest to largest)")
    console.show(console.table(["Commit", "Push to served", "By hand", "Ratio"], rows))


def stage_medians(found: dict[str, Both]) -> dict[str, dict[str, float]]:
    """Of each stage: the loop's seconds, what of them was work, and the seconds by hand."""
    loops = [each for both in found.values() for each in both["loop"]]
    hands = [each for both in found.values() for each in both["by_hand"]]
    names = list(dict.fromkeys(name for each in [*loops, *hands] for name in each.stages))
    columns = {
        "loop": [each.stages for each in loops],
        "work": [each.work for each in loops],
        "by_hand": [each.stages for each in hands],
    }
    return {
        name: {
            column: round(median(values), 2)
            for column, each in columns.items()
            if (values := [one[name] for one in each if name in one])
        }
        for name in names
    }


def show_stages(stages: dict[str, dict[str, float]]) -> None:
    """Where the time goes."""
    columns = ("loop", "work", "by_hand")
    rows = [[name, *(f"{row[c]:.2f}" if c in row else "" for c in columns)] for name, row in stages.items()]
    console.say("\nSeconds a stage: median; a loop's stage begins where the one before ended")
    console.show(console.table(["Stage", "Loop", "of it work", "By hand"], rows))


def run(context: Context, rounds: int, kinds: list[str]) -> dict[str, object]:
    """The whole benchmark; raises SandboxError."""
    peak = Peak(ROOT / ".sandbox")
    with tempfile.TemporaryDirectory() as scratch, raw_data_as_before(context):
        bench = Bench(context, Path(scratch), kinds)
        bench.prepare()
        console.step(f"resting {REST:.0f} s")
        pause(REST)
        idle = memory_of(ROOT / ".sandbox")
        for number in range(1, rounds + 1):
            bench.round(number)
        # A loop that does not count: a sample takes a tenth of a second of a processor.
        console.step("one more loop, for its memory")
        with peak.watch():
            bench.push(KINDS[kinds[0]])
    stages = stage_medians(bench.found)
    show_kinds(bench.found)
    show_stages(stages)
    pushed, hand = (median(seconds_of(bench.found, way)) for way in ("loop", "by_hand"))
    console.say(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end; memory in MiB of PSS")
    return {
        "push_to_served_s": round(pushed, 1),
        "by_hand_s": round(hand, 1),
        "ratio": round(pushed / hand, 2),
        "stages": stages,
        "memory_idle_mib": round(idle),
        "memory_peak_mib": round(peak.mib),
    }


def main() -> None:
    """Read the options, run, print; expected failures as the tool itself tells them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    arguments = parser.parse_args()
    try:
        context = Context.load()
        if context.settings.driver != "embedded":
            hint = "By hand needs DRIVER=embedded. make bench-loop makes such a sandbox of its own"
            raise LoopError(f"This sandbox has DRIVER={context.settings.driver}.", hint)
        console.say("\n" + json.dumps(run(context, arguments.rounds, arguments.kinds)))
    except SandboxError as error:
        console.problem(str(error), error.hint)
        sys.exit(1)


if __name__ == "__main__":
    main()
