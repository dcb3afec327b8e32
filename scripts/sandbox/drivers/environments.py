"""The Python environments of the servers, one per service, made by uv from its lock file."""

import hashlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox import console
from sandbox.errors import MachineError
from sandbox.settings import ROOT, machine_environment

SERVICES = ("ci", "airflow", "mlflow", "prediction-api")


def install_environments(folder: Path) -> None:
    """Bring every environment to its lock, two at a time. Raises MachineError with uv's own words."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda service: _install(service, folder / service), SERVICES))


def _install(service: str, target: Path) -> None:
    source = ROOT / "services" / service
    lock = source / "requirements.lock"
    stamp = target / ".installed"
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode() + str(source).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    console.step(f"installing {service}")
    _uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, str(target))
    _uv("pip", "sync", "--quiet", "--python", str(target), "--require-hashes", str(lock))
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
