"""The Python environments of the servers, one per service, made by uv from its lock file."""

import hashlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from sandbox import console
from sandbox.errors import MachineError
from sandbox.settings import ROOT, machine_environment

SERVICES = ("ci", "airflow", "mlflow", "prediction-api", "monitor")


def install_environments(folder: Path) -> None:
    """Bring every environment to its lock, two at a time. Raises MachineError with uv's own words."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda service: _install(service, folder / service), SERVICES))


@cache
def environment_digest(service: str) -> str:
    """What a service's environment is made of: lock file, our own code, Python."""
    source = ROOT / "services" / service
    digest = hashlib.sha256(f"{sys.version}{source}".encode())
    for path in [source / "requirements.lock", *sorted(source.rglob("*.py"))]:
        if "tests" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _install(service: str, target: Path) -> None:
    source = ROOT / "services" / service
    stamp = target / ".installed"
    wanted = environment_digest(service)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    console.step(f"installing {service}")
    stamp.unlink(missing_ok=True)
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(target))
    lock = str(source / "requirements.lock")
    _uv("pip", "sync", "--quiet", "--python", str(target), "--require-hashes", lock)
    if (source / "pyproject.toml").exists():
        _uv("pip", "install", "--quiet", "--python", str(target), "--no-deps", "--editable", str(source))
    stamp.write_text(wanted)


def _uv(*arguments: str) -> None:
    environment = machine_environment()
    uv = shutil.which("uv", path=environment["PATH"])
    if uv is None:
        raise MachineError("P06 uv is not installed.", "Run: make up (it installs uv into .tools)")
    result = subprocess.run([uv, *arguments], env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise MachineError(
            f"P07 uv {' '.join(arguments[:2])} failed:\n{result.stderr.strip()}",
            "Is the package index reachable? Behind a proxy set HTTPS_PROXY and SSL_CERT_FILE, then: make up",
        )
