"""The rules of design and architecture (seam 9) for compose/, and that each of them can be broken."""

import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from composefiles import VARIABLE, Stack, read_stack
from composerules import COMPLETED, HEALTHY, ONE_SHOTS, OURS, RULES

# What the driver adds to .env (docs/architecture.md, seam 9).
HASHES = ("TAG_", "CONFIGURATION_")  # of what an image is made of, of mounted files
DERIVED = {
    *("LOOP_ENV_FILE", "CA_FILE", "JENKINS_AGENT_PUBLIC_KEY", "ALERTMANAGER_FILE"),
    *("ORGANISATION", "REPOSITORIES", "GIT_URL", "STATUS_URL", "STATUS_USER", "CI_HOOK_URL"),
}
MAY_BE_EMPTY = {
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "MODEL_NAME",
    "MODEL_PIN",
    "MASKED_COLUMNS",
    "API_TOKENS",
}
LAYERS = ("storage", "scm", "ci", "tracking", "pipelines", "serving", "monitoring", "extras")

BROKEN = [
    ("card", "mysql", {"x-sandbox": {"url": "x"}}),
    ("full_tag", "mysql", {"image": "mysql:latest"}),
    ("full_tag", "registry", {"image": "registry:3"}),
    ("full_tag", "mlflow", {"image": f"{OURS}mlflow:dev"}),
    ("full_base_tag", "mlflow", {"build": {"args": {"PYTHON_IMAGE": "python:3.13-slim"}}}),
    ("health_check", "mysql", {"healthcheck": {}}),
    ("health_check", "mysql", {"healthcheck": {"test": ["NONE"]}}),
    ("health_check", "mysql", {"healthcheck": {"test": ["CMD-SHELL", "mysqladmin ping || true"]}}),
    ("limits", "mysql", {"mem_limit": None}),
    ("limits", "mysql", {"cpus": 4}),
    ("limits", "mysql", {"pids_limit": 0}),
    ("log_rotation", "mysql", {"logging": {"driver": "json-file"}}),
    ("restart", "mysql", {"restart": "always"}),
    ("restart", "airflow-init", {"restart": "unless-stopped"}),
    ("restart", "mysql", {"stop_grace_period": None}),
    ("local_ports", "mysql", {"ports": ["${MYSQL_PORT:?}:3306"]}),
    ("local_ports", "mysql", {"ports": ["0.0.0.0:${MYSQL_PORT:?}:3306"]}),
    ("local_ports", "mysql", {"ports": ["127.0.0.1:3306:3306"]}),
    ("local_ports", "mysql", {"network_mode": "host"}),
    ("no_host", "engine", {"privileged": True}),
    ("no_host", "engine", {"pid": "host"}),
    ("no_host", "engine", {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}),
    ("no_host", "node-exporter", {"volumes": ["/:/host:ro"]}),
    ("no_host", "mysql", {"volumes": ["../data:/var/lib/mysql"]}),
    ("no_host", "mysql", {"volumes": ["${CA_FILE:?}:/ca.pem"]}),
    ("least_privilege", "mysql", {"cap_drop": []}),
    ("least_privilege", "mysql", {"cap_add": ["SYS_NICE"]}),
    ("least_privilege", "mysql", {"security_opt": []}),
    ("least_privilege", "mysql", {"security_opt": ["no-new-privileges:true", "seccomp:unconfined"]}),
    ("no_default_secret", "mysql", {"environment": {"MYSQL_ADMIN_PASSWORD": "sandbox"}}),
    ("no_default_secret", "grafana", {"environment": {"GF_SECURITY_SECRET_KEY": "x"}}),
    ("waits_for_health", "mlflow", {"depends_on": {"mysql": {"condition": "service_started"}}}),
    ("waits_for_health", "airflow-api", {"depends_on": {"airflow-init": {"condition": HEALTHY}}}),
]


@pytest.fixture(scope="module")
def stack(root) -> Stack:
    return read_stack(root / "compose")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_service_keeps_the_rule(stack, rule):
    assert [
        f"{name}: {breach}" for name, block in stack.services.items() for breach in rule(name, block)
    ] == []


@pytest.mark.parametrize(("rule", "service", "change"), BROKEN)
def test_the_rule_finds_a_breach(stack, rule, service, change):
    check = next(r for r in RULES if r.__name__ == rule)
    block = stack.services[service] | change
    assert list(check(service, block)), f"{rule} does not see {change}"


def test_every_rule_is_shown_to_fail():
    assert {rule for rule, _, _ in BROKEN} == {rule.__name__ for rule in RULES}


def reaches_later(stack: Stack) -> list[str]:
    """Waits that lead from one layer into a later one."""
    return [
        f"{layer.name}: {name} waits for {needed}"
        for place, layer in enumerate(stack.layers)
        for name, block in layer.services.items()
        for needed in block.get("depends_on") or {}
        if stack.layer_of(needed) > place
    ]


def test_layers_wait_for_themselves_and_earlier_ones_only(stack):
    assert tuple(layer.name for layer in stack.layers) == tuple(f"compose.{name}.yaml" for name in LAYERS)
    assert reaches_later(stack) == []
    broken = deepcopy(stack)
    broken.layers[0].services["mysql"]["depends_on"] = {"prometheus": {"condition": HEALTHY}}
    assert reaches_later(broken) == ["compose.storage.yaml: mysql waits for prometheus"]


def test_a_service_that_ends_is_waited_for(stack):
    """Else `up --wait` fails although all is well (docker/compose#10596)."""
    waits = [
        (needed, how["condition"])
        for block in stack.services.values()
        for needed, how in (block.get("depends_on") or {}).items()
    ]
    assert {(name, COMPLETED) for name in ONE_SHOTS} <= set(waits)


def missing_variables(stack: Stack, example: str) -> set[str]:
    """Variables that neither .env.example nor the driver gives."""
    given = set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE)) | DERIVED
    return {name for name in stack.variables() if name not in given and not name.startswith(HASHES)}


def test_every_variable_is_a_setting_or_derived(root, stack):
    example = (root / ".env.example").read_text()
    assert missing_variables(stack, example) == set()
    assert missing_variables(stack, example.replace("MYSQL_PORT=", "OTHER=")) == {"MYSQL_PORT"}


def wrongly_required(text: str) -> set[str]:
    """Variables that have a default, or may be empty although they may not, or the other way round."""
    return {name for name, rest in VARIABLE.findall(text) if rest != ("?" if name in MAY_BE_EMPTY else ":?")}


def test_values_have_no_second_home(stack):
    assert wrongly_required(stack.text) == set()
    assert wrongly_required("${A:-x} ${B} ${MODEL_NAME:?} ${C:?} $${D}") == {"A", "B", "MODEL_NAME"}


def test_every_secret_of_compose_is_generated(root, stack):
    example = (root / ".env.example").read_text()
    secrets = {
        n
        for n in stack.variables()
        if re.search(r"(PASSWORD|SECRET|TOKEN|SECRET_KEY|FERNET_KEY|AGENT_KEY)$", n)
    }
    assert len(secrets) > 10
    assert {n for n in secrets if not re.search(rf"^{n}=__generate\w*__$", example, re.MULTILINE)} == set()


def test_files_are_short(root):
    for path in (root / "compose").glob("*.yaml"):
        assert len(path.read_text().splitlines()) < 200, path
    assert len((root / "compose/compose.yaml").read_text().splitlines()) <= 25


def test_our_image_has_the_name_of_its_folder_and_its_tag(root, stack):
    for name, block in stack.services.items():
        if not block["image"].startswith(OURS):
            continue
        folder = block["image"].removeprefix(OURS).split(":")[0]
        assert (root / "services" / folder).is_dir() or (root / folder).is_dir(), folder
        assert name == folder or name.startswith(f"{folder}-"), name
        assert block["image"].endswith(f":${{TAG_{folder.upper().replace('-', '_')}:?}}"), name


def test_prometheus_jobs_are_services(root, stack):
    jobs = yaml.safe_load((root / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert len(jobs) > 5
    for job in jobs:
        assert job["job_name"] in stack.services
        hosts = {
            re.sub(r"^https?://", "", t).split(":")[0] for c in job["static_configs"] for t in c["targets"]
        }
        assert hosts <= {*stack.services, "localhost"}, job["job_name"]


def test_every_mounted_file_is_there(root, stack):
    mounted = [str(v).split(":")[0] for b in stack.services.values() for v in b.get("volumes", [])]
    paths = [root / "compose" / name for name in mounted if name.startswith(".")]
    assert len(paths) >= 5
    assert [path for path in paths if not path.exists()] == []


def test_a_cards_bootstrap_step_is_there(root, stack):
    steps = {b["x-sandbox"]["bootstrap"] for b in stack.services.values()} - {None}
    assert {"databases", "buckets"} <= steps
    assert [s for s in steps if not (root / f"scripts/sandbox/steps/{s}.py").is_file()] == []


def test_a_cards_login_names_a_setting_and_its_address_is_published(root, stack):
    example = (root / ".env.example").read_text()
    for name, block in stack.services.items():
        card = block["x-sandbox"]
        assert not card["login"] or re.search(rf"^{card['login'].split()[1]}=", example, re.MULTILINE), name
        assert bool(card["url"]) == bool(block.get("ports")), name
        assert not card["url"] or VARIABLE.search(card["url"])[0] in " ".join(block["ports"]), name


def scratch_env(stack: Stack, folder: Path) -> Path:
    """An env file with a value for every variable."""
    lines = dict.fromkeys(stack.variables(), "1") | {
        n: "8999" for n in stack.variables() if n.endswith("_PORT")
    }
    lines |= {"LOOP_ENV_FILE": str(folder / "loop.env"), "CA_FILE": "/dev/null"}
    (folder / "loop.env").touch()
    path = folder / "scratch.env"
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    return path


def compose_config(root: Path, env_file: Path) -> subprocess.CompletedProcess[str]:
    command = [
        "docker",
        "compose",
        "--env-file",
        str(env_file),
        "-f",
        str(root / "compose/compose.yaml"),
        "config",
    ]
    clean = {"PATH": os.defpath, "HOME": str(Path.home())}
    return subprocess.run(command, env=clean, capture_output=True, text=True)


@pytest.fixture
def docker() -> None:
    found = shutil.which("docker", path=os.defpath)
    if not found or subprocess.run([found, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed: the files are checked as YAML alone")


@pytest.mark.usefixtures("docker")
def test_compose_reads_the_files_as_these_tests_do(root, stack, tmp_path):
    result = compose_config(root, scratch_env(stack, tmp_path))
    assert result.returncode == 0, result.stderr
    services = yaml.safe_load(result.stdout)["services"]
    assert set(services) == set(stack.services)
    for name, block in stack.services.items():
        assert services[name]["cap_drop"] == block["cap_drop"], name
        assert sorted(services[name]["security_opt"]) == sorted(block["security_opt"]), name
        assert len(services[name].get("volumes", [])) == len(block.get("volumes", [])), name


@pytest.mark.usefixtures("docker")
def test_a_missing_value_is_named(root, stack, tmp_path):
    env_file = scratch_env(stack, tmp_path)
    env_file.write_text(env_file.read_text().replace("MYSQL_ADMIN_PASSWORD=1\n", ""))
    result = compose_config(root, env_file)
    assert result.returncode != 0
    assert "MYSQL_ADMIN_PASSWORD" in result.stderr
