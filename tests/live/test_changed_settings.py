"""Changes of .env on a stack with data: passwords rotate, keys are refused, a bad start says what and why."""

import re

import pytest
from helpers import FLOWERS, SPECIES, predict

pytestmark = pytest.mark.docker
KEYS = ("AIRFLOW_FERNET_KEY", "GITEA_SECRET_KEY", "GRAFANA_SECRET_KEY")
KEPT = ("DRIVER", "COMPOSE_", "CA_BUNDLE", *KEYS)


@pytest.fixture
def env(sandbox):
    """The text of .env, put back at the end."""
    path = sandbox.folder / ".env"
    before = path.read_text()
    yield path
    path.write_text(before)
    sandbox.make("up")


def test_a_taken_port_was_given_away_with_its_holder_named(sandbox, machine):
    assert f"MYSQL_PORT={machine.taken}" not in (sandbox.folder / ".env").read_text()
    assert re.search(rf"port {machine.taken} is held by .+: MYSQL_PORT=\d+", sandbox.first_up)


def test_lost_passwords_are_made_anew_on_the_old_data(sandbox, env):
    model = sandbox.json("status")["model"]
    kept = [line for line in env.read_text().splitlines() if line.startswith(KEPT)]
    env.write_text("\n".join(kept) + "\n")
    sandbox.make("up")
    assert sandbox.json("status")["model"] == model
    assert predict(sandbox, FLOWERS).json() == {"predictions": SPECIES}
    demo = sandbox.run("demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr


def test_a_changed_password_restarts_only_those_who_use_it(sandbox, machine, env):
    before = {c.name: c.id for c in machine.containers()}
    text = env.read_text()
    env.write_text(re.sub(r"(?m)^MYSQL_EXPORTER_PASSWORD=.*$", "MYSQL_EXPORTER_PASSWORD=another1", text))
    said = sandbox.make("up")
    assert "databases: password of exporter" in said
    after = {c.name: c.id for c in machine.containers()}
    changed = {name for name in after if before[name] != after[name]}
    assert changed == {f"{machine.project}-mysqld-exporter-1"}


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_key_is_refused_by_its_name(sandbox, env, key):
    text = env.read_text()
    env.write_text(re.sub(rf"(?m)^{key}=.{{10}}", f"{key}=0123456789", text))
    refused = sandbox.run("up")
    assert refused.returncode == 1
    assert "S01" in refused.stderr
    assert key in refused.stderr


def test_an_image_that_nobody_has_is_named_with_the_ways_out(sandbox, env, tmp_path):
    override = tmp_path / "override.yaml"
    text = env.read_text()
    mine = re.search(r"(?m)^COMPOSE_OVERRIDE=(.*)$", text)[1]
    with open(mine) as file:
        override.write_text(re.sub(r"standin/registry:\w+", "registry.invalid/nobody:1.0.0", file.read()))
    env.write_text(text.replace(mine, str(override)))
    refused = sandbox.run("up")
    assert refused.returncode == 1
    assert "P20" in refused.stderr
    assert "registry.invalid/nobody:1.0.0" in refused.stderr
    assert "docker save" in refused.stderr
    assert "DRIVER=embedded" in refused.stderr
