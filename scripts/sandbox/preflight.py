"""What a machine needs before anything starts. A failed check has a code, a cause and a remedy."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psutil

from sandbox import console, ports
from sandbox.errors import MachineError
from sandbox.settings import Settings, save_setting

GIT_NEEDED = (2, 28)  # `git init --initial-branch`
DISK_NEEDED = 5 * 1024**3  # bytes: environments of the servers and of the sample repositories
UNUSABLE_IN_A_PATH = '%;#"'  # supervisord's configuration gives them a meaning
DISK_RESERVE = 512 * 1024**2  # bytes, once that is there: what a running loop and its logs write
MEMORY_NEEDED = 3 * 1024**3  # bytes: idle services and one training


def check_tools(root: Path) -> None:
    """What every driver needs. Raises MachineError for the first thing that is missing."""
    if any(mark in str(root) for mark in UNUSABLE_IN_A_PATH):
        raise MachineError(
            f"P08 The path {root} holds one of {UNUSABLE_IN_A_PATH}.", "Move the clone to a plainer path"
        )
    _check_tool("git", "P01", "Install Git, for example: apt-get install git")
    _check_tool("make", "P02", "Install make, for example: apt-get install make")
    version = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
    if tuple(int(part) for part in version.split(".")[:2]) < GIT_NEEDED:
        raise MachineError(f"P03 Git {version} is too old.", "Install Git 2.28 or newer")


def check_embedded(state: Path) -> None:
    """What processes of this machine need for a state folder. Raises MachineError."""
    check_disk(state)
    memory = psutil.virtual_memory().available
    if memory < MEMORY_NEEDED:
        console.note(f"P05 only {memory / 1024**3:.1f} GiB of memory are free; 3 make it comfortable")


def check_disk(state: Path) -> None:
    """Raises MachineError where the disk of the state folder, made or not, has too little room for `up`."""
    if short := disk_shortage(state, DISK_RESERVE if state.exists() else DISK_NEEDED):
        raise MachineError(f"P04 {short}", "Make room on this disk, then: make up")


def disk_shortage(state: Path, needed: int = DISK_RESERVE) -> str:
    """What a state folder's disk lacks of so many bytes, or an empty string."""
    folder = state if state.exists() else state.parent
    free = shutil.disk_usage(folder).free
    found = (
        f"Only {free / 1024**3:.2f} GiB are free on the disk of {folder}, {needed / 1024**3:g} are needed."
    )
    return found if free < needed else ""


def _check_tool(name: str, code: str, hint: str) -> None:
    if shutil.which(name) is None:
        raise MachineError(f"{code} {name} is not installed.", hint)


def move_taken_ports(settings: Settings, services: Iterable[str], held: set[int]) -> bool:
    """Give each service whose port another program has the next free one, in .env; True if anything moved.

    `held` are the ports of our own running services.
    """
    wanted = settings.ports(services)
    moved = False
    for name, port in wanted.items():
        if port in held and list(wanted.values()).count(port) == 1:
            continue
        if not ports.is_free(port) or list(wanted.values()).count(port) > 1:
            wanted[name] = ports.next_free(port, set(wanted.values()))
            save_setting(name, str(wanted[name]))
            console.note(
                f"P09 port {port} is held by {ports.holder(port)}: {name}={wanted[name]}, written to .env"
            )
            moved = True
    return moved
