"""Go programs for the stand-ins that Debian has no package of, compiled once and kept below build/."""

import re
import shutil
from pathlib import Path

from dockercli import CA, PROXIES, run
from recipes import GOLANG, ROOT

ENVIRONMENT = (*PROXIES, "GOPROXY", "GOSUMDB")
CACHE = ROOT / "build" / "standins"
FLAGS = ("-trimpath", "-ldflags=-s -w")
LEAST_GO = (1, 24)  # what MinIO's go.mod asks for


def go_here() -> bool:
    """Whether this machine's own Go is new enough."""
    if not shutil.which("go"):
        return False
    found = re.search(r"go(\d+)\.(\d+)", run("go", "version"))
    return found is not None and tuple(map(int, found.groups())) >= LEAST_GO


def compile_program(module: str) -> Path:
    """The static executable of `module` (path@version). Raises MachineError."""
    folder = CACHE / module.replace("/", "_")
    program = folder / module.partition("@")[0].rpartition("/")[2]
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(*(_here(folder) if go_here() else _in_container(folder)), "go", "install", *FLAGS, module)
    return program


def _here(folder: Path) -> list[str]:
    return ["env", f"GOBIN={folder}", "CGO_ENABLED=0"]


def _in_container(folder: Path) -> list[str]:
    passed = [word for key in ENVIRONMENT for word in ("--env", key)]
    trust = ["--volume", f"{CA}:{CA}:ro"] if CA.exists() else []
    folders = ["--volume", f"{CACHE / 'go'}:/go", "--volume", f"{folder}:/go/bin"]
    return ["docker", "run", "--rm", "--env", "CGO_ENABLED=0", *passed, *trust, *folders, GOLANG.tag]
