"""A full disk below `.sandbox/`: `up` and loops say so, the model answers on, and with room all goes on.

The state lies on a small file system meanwhile; what was there before is there again at the end.
"""

import os
import shutil
import subprocess
from contextlib import suppress

import pytest
from helpers import FLOWERS, SPECIES, detail, predict, states

from sandbox.wait import pause, wait_until

MIB = 1024**2
ROOM = 700  # MiB, beside what is there already
FULL_SECONDS = 20  # for which nobody can write a byte
BOUND = ("environments", "ci", "images")  # large: bound in, not copied


def mount(*words):
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a file system: {done.stderr.strip()}")


class Disk:
    """A small file system, and the one file that fills it."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.filler = folder / "filler"

    def leave(self, mib: int) -> None:
        """Fill it but for so many MiB."""
        self.filler.unlink(missing_ok=True)
        free = shutil.disk_usage(self.folder).free - mib * MIB
        with self.filler.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, free)

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)


def copied(state):
    return [path for path in state.iterdir() if path.name not in BOUND and not path.is_socket()]


def size(state):
    listed = subprocess.run(["du", "-scm", *copied(state)], capture_output=True, text=True, check=True)
    return int(listed.stdout.splitlines()[-1].split()[0])


@pytest.fixture
def disk(sandbox, tmp_path):
    """The sandbox's state on a small file system, stopped; at the end the stack is on its own disk."""
    state, kept = sandbox.folder / ".sandbox", tmp_path / "kept"
    kept.mkdir()
    probe = tmp_path / "probe"
    probe.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", probe)  # skips before anything is stopped
    subprocess.run(["umount", probe], check=True)
    sandbox.make("down")
    mounted = []
    try:
        mount("--bind", state, kept)
        mounted.append(kept)
        mount("-t", "tmpfs", "-o", f"size={size(kept) + ROOM}m,mode=755", "tmpfs", state)
        mounted.append(state)
        subprocess.run(["cp", "-a", *copied(kept), state], check=True)
        for name in BOUND:
            (state / name).mkdir()
            mount("--bind", kept / name, state / name)
            mounted.append(state / name)
        yield Disk(state)
    finally:
        sandbox.run("down")
        for folder in reversed(mounted):
            subprocess.run(["umount", folder], check=True)
        sandbox.make("up")


def answers(sandbox):
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}


def test_a_full_disk_is_named_and_costs_no_answer(sandbox, disk):
    disk.leave(100)
    refused = sandbox.run("up")
    print("\n", refused.stderr.strip())
    assert refused.returncode == 1
    assert "P04" in refused.stderr
    assert str(disk.folder) in refused.stderr
    disk.free()
    sandbox.make("up")

    disk.leave(100)
    receipt = sandbox.json("run")
    print(detail(receipt, "data"))
    assert (receipt["state"], states(receipt)["data"]) == ("failed", "failed"), receipt
    assert f"the disk of {disk.folder} is full" in detail(receipt, "data")
    answers(sandbox)

    disk.leave(0)
    answers(sandbox)
    full = sandbox.run("run", "--timeout", str(FULL_SECONDS))
    print("without a free byte:", full.returncode, full.stderr.strip())
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    pause(FULL_SECONDS)
    answers(sandbox)

    disk.free()
    wait_until(
        lambda: all(s["healthy"] for s in sandbox.json("status")["services"]), what="all healthy", seconds=120
    )
    receipt = sandbox.json("run")
    assert receipt["state"] == "passed", receipt
    answers(sandbox)
