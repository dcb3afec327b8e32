"""The docker command line, as far as building stand-ins needs it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from recipes import LABEL, ROOT

from sandbox.errors import MachineError

# Debian's bundle: what this machine trusts, its builds do too.
CA = Path("/etc/ssl/certs/ca-certificates.crt")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def run(*command: str | Path) -> str:
    """Standard output. Raises MachineError with the end of what the command said."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-25:])
        raise MachineError(f"`{' '.join(map(str, command[:4]))} …` failed:\n{said}")
    return done.stdout


def present(tag: str) -> bool:
    return bool(run("docker", "image", "ls", "--quiet", tag).strip())


def megabytes(tag: str) -> int:
    return int(run("docker", "image", "inspect", "--format", "{{.Size}}", tag)) // 10**6


def build(
    tag: str, name: str, context: Path, arguments: dict[str, str], options: Sequence[str | Path] = ()
) -> None:
    """Build an image into the engine, with the machine's CA bundle as secret `ca` and its proxies."""
    given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    proxies = [word for key in PROXIES for word in ("--build-arg", key)]  # unset ones stay unset
    secret = ["--secret", f"id=ca,src={CA}"] if CA.exists() else []
    label = ["--label", f"{LABEL}={name}", "--tag", tag]
    run("docker", "buildx", "build", "--load", *label, *given, *proxies, *secret, *options, context)


def import_suite(tag: str, name: str, mirror: str, options: Sequence[str]) -> None:
    """Make a Debian suite's image with mmdebstrap, without a file in between. Raises MachineError."""
    change = ["--change", f"LABEL {LABEL}={name}", "--change", 'CMD ["bash"]']
    make = ["mmdebstrap", "--quiet", *options, name, "-", mirror]
    with subprocess.Popen(make, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False) as maker:
        put = subprocess.run(["docker", "import", *change, "-", tag], stdin=maker.stdout, capture_output=True)
        said = maker.stderr.read().decode() if maker.stderr else ""
    if maker.returncode or put.returncode:
        subprocess.run(["docker", "image", "rm", tag], capture_output=True)
        raise MachineError(f"Debian {name} could not be made from {mirror}:\n{said}{put.stderr.decode()}")
