"""Each rule of a Compose block as a function that says what is wrong with one (test_compose.py breaks each).

A rule answers a sentence for each breach and nothing for a good block.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

Block = dict[str, Any]
Rule = Callable[[str, Block], Iterator[str]]

ONE_SHOTS = {"airflow-init"}  # they end; who needs them waits for that
HEALTHY, COMPLETED = "service_healthy", "service_completed_successfully"
# Which capabilities a service may have back; compose.storage.yaml says why.
MAY_ADD = {"engine"}
CARD = {"url", "login", "bootstrap"}
WHOLE_HOST = re.compile(r"/(var|run|var/run|proc|sys|etc|dev|root|home)?/?")
OURS = "${COMPOSE_PROJECT_NAME:?}/"
OUR_IMAGE = re.compile(re.escape(OURS) + r"[a-z-]+:\$\{TAG_[A-Z_]+:\?\}")
FULL_TAG = re.compile(r"[a-z0-9./-]+:(v?\d+\.\d+\.\d+[\w.-]*|RELEASE\.[\dTZ-]+)")
SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|_KEY)$|SECRET_KEY$")
NOT_SECRET = {"AWS_ACCESS_KEY_ID", "MYSQL_RANDOM_ROOT_PASSWORD"}
CANNOT_FAIL = re.compile(r"\|\|\s*(true|exit 0)|^(true|exit 0)$|;\s*(true|exit 0)\s*$")


def card(_: str, block: Block) -> Iterator[str]:
    if set(block.get("x-sandbox") or {}) != CARD:
        yield f"x-sandbox needs exactly {', '.join(sorted(CARD))}"


def full_tag(_: str, block: Block) -> Iterator[str]:
    image = block.get("image", "")
    if not (OUR_IMAGE.fullmatch(image) or FULL_TAG.fullmatch(image)):
        yield f"image {image!r} has no full tag"


def full_base_tag(_: str, block: Block) -> Iterator[str]:
    for name, value in (block.get("build", {}).get("args") or {}).items():
        if name.endswith("_IMAGE") and not FULL_TAG.fullmatch(value):
            yield f"{name} {value!r} has no full tag"


def health_check(name: str, block: Block) -> Iterator[str]:
    test = block.get("healthcheck", {}).get("test")
    if name in ONE_SHOTS:
        return
    if not test or test[0] not in {"CMD", "CMD-SHELL"}:
        yield "no health check"
    elif CANNOT_FAIL.search(" ".join(test[1:])):
        yield "its health check cannot fail"


def limits(_: str, block: Block) -> Iterator[str]:
    for key in ("mem_limit", "cpus", "pids_limit"):
        if not block.get(key):
            yield f"no {key}"
    if float(block.get("cpus", 0)) > 2:
        yield "cpus above 2: Docker refuses that on a machine with two"


def log_rotation(_: str, block: Block) -> Iterator[str]:
    options = block.get("logging", {}).get("options", {})
    if "${LOG_MEGABYTES:?}" not in options.get("max-size", "") or options.get("max-file") != "${LOG_FILES:?}":
        yield "its log does not rotate by LOG_MEGABYTES and LOG_FILES"


def restart(name: str, block: Block) -> Iterator[str]:
    wanted = "no" if name in ONE_SHOTS else "unless-stopped"
    if block.get("restart") != wanted:
        yield f"restart is {block.get('restart')!r}, not {wanted!r}"
    if not block.get("stop_grace_period"):
        yield "no stop_grace_period"


def local_ports(_: str, block: Block) -> Iterator[str]:
    for port in block.get("ports", []):
        if not re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:\?\}:\d+", str(port)):
            yield f"port {port} is not 127.0.0.1:${{…_PORT:?}}:number"
    if block.get("network_mode") == "host":
        yield "it is on the host's network"


def no_host(_: str, block: Block) -> Iterator[str]:
    for key in ("privileged", "pid", "ipc", "devices", "userns_mode", "container_name"):
        if block.get(key):
            yield f"{key} is set"
    for volume in map(str, block.get("volumes", [])):
        source = volume.split(":")[0]
        if "docker.sock" in volume or re.fullmatch(
            r"/(var|run|var/run|proc|sys|etc|dev|root|home)?/?", source
        ):
            yield f"it mounts the host's {source}"
        if source.startswith((".", "/", "$")) and not volume.endswith(":ro"):
            yield f"it can write {source} on the host"


def least_privilege(name: str, block: Block) -> Iterator[str]:
    if block.get("cap_drop") != ["ALL"]:
        yield "cap_drop is not ALL"
    if "no-new-privileges:true" not in block.get("security_opt", []):
        yield "no no-new-privileges"
    if name in MAY_ADD:
        return
    if block.get("cap_add") or len(block.get("security_opt", [])) > 1:
        yield "it adds capabilities or security options"


def no_default_secret(_: str, block: Block) -> Iterator[str]:
    environment = block.get("environment") or {}
    for name, value in environment.items():
        if SECRET.search(name) and name not in NOT_SECRET and not str(value).startswith("${"):
            yield f"{name} is written out"


def waits_for_health(_: str, block: Block) -> Iterator[str]:
    for needed, how in (block.get("depends_on") or {}).items():
        wanted = COMPLETED if needed in ONE_SHOTS else HEALTHY
        if how.get("condition") != wanted:
            yield f"it waits for {needed} by {how.get('condition')}, not {wanted}"


RULES: tuple[Rule, ...] = (
    card, full_tag, full_base_tag, health_check, limits, log_rotation, restart, local_ports, no_host,
    least_privilege, no_default_secret, waits_for_health,
)  # fmt: skip
