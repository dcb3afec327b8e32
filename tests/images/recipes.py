"""What each stand-in is made of: the facts. Its folder holds its Dockerfile."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LABEL = "mlops-sandbox.standin"

# Options of mmdebstrap. An old snapshot of sid is as good as today's; manuals would be a fifth of the image.
SUITE_OPTIONS = (
    "--variant=minbase",
    "--include=ca-certificates",
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
)


@dataclass(frozen=True)
class Suite:
    """A Debian suite as an image: what every other stand-in stands on."""

    name: str

    @property
    def tag(self) -> str:
        return _tag(self.name, *SUITE_OPTIONS)


@dataclass(frozen=True)
class Recipe:
    """One stand-in: a folder here, on a base. Its Dockerfile finds the Go program `module` as `program`."""

    name: str
    base: "Suite | Recipe"
    module: str = ""

    @property
    def folder(self) -> Path:
        return HERE / self.name

    @property
    def tag(self) -> str:
        return _tag(self.name, self.base.tag, self.module, *_contents(self.folder))


@dataclass(frozen=True)
class Service:
    """A service of ours as a stand-in, from a Dockerfile below services/ whose `argument` names its base."""

    name: str
    base: "Recipe | Service"
    dockerfile: str
    argument: str
    context: str
    target: str = ""
    sources: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        found = [line for source in (self.dockerfile, *self.sources) for line in _contents(ROOT / source)]
        return _tag(self.name, self.base.tag, self.argument, self.target, *found)


Image = Suite | Recipe | Service

TRIXIE, SID = Suite("trixie"), Suite("sid")
TOOLS, GOLANG = Recipe("tools", TRIXIE), Recipe("golang", SID)
PYTHON, DOCKER = Recipe("python", TRIXIE), Recipe("docker", TRIXIE)

# MinIO's releases are not named as Go versions; this is the newest commit that the module proxy has.
MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
STATSD_EXPORTER = "github.com/prometheus/statsd_exporter@v0.31.0"

# These replace the image of the Compose service of their name.
SERVERS = (
    Recipe("mysql", SID),
    Recipe("registry", TOOLS),
    Recipe("prometheus", TOOLS),
    Recipe("alertmanager", TOOLS),
    Recipe("node-exporter", TOOLS),
    Recipe("blackbox-exporter", TOOLS),
    Recipe("mysqld-exporter", TOOLS),
    Recipe("statsd-exporter", TOOLS, STATSD_EXPORTER),
    Recipe("minio", TOOLS, MINIO),
)
CI_TOOLS = Service(
    "ci-tools",
    PYTHON,
    "services/jenkins-agent/Dockerfile",
    argument="PYTHON_IMAGE",
    context="services",
    target="tools",
    sources=("services/ci/requirements.lock", "services/ci/ci"),
)
CI = Service("ci", CI_TOOLS, "services/ci/Dockerfile", argument="AGENT_IMAGE", context="services/ci")

# In the order of building: compilations run beside, so what waits for them is last.
IMAGES: tuple[Image, ...] = (SID, TRIXIE, PYTHON, TOOLS, DOCKER, CI_TOOLS, CI, *SERVERS)


def _contents(path: Path) -> list[str]:
    """Names and hashes of a file, or of all files below a folder."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    ours = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    return [f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in ours]


def _tag(name: str, *parts: str) -> str:
    made_of = "\0".join((name, *parts)).encode()
    return f"standin/{name}:{hashlib.sha256(made_of).hexdigest()[:12]}"
