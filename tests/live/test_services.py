"""Every service of the Compose files, healthy, and what they cost together."""

from collections import defaultdict

import pytest

from sandbox.compose import FILE
from sandbox.drivers.cards import read_cards
from sandbox.wait import pause

pytestmark = pytest.mark.docker
# The only tests that may skip: there is no package of these and no registry to pull them from.
ABSENT = {
    "jenkins": "Jenkins' image cannot be had without a registry; services/ci answers in its place",
    "jenkins-agent": "built on Jenkins' side of the stack; services/ci runs on the same tools",
    "grafana": "Grafana's image cannot be had without a registry",
}
SERVICES = list(read_cards(FILE, defaultdict(str)))
SETTLED_SECONDS = 20


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_healthy(sandbox, service):
    if service in ABSENT:
        pytest.skip(ABSENT[service])
    row = next(row for row in sandbox.json("status")["services"] if row["name"] == service)
    assert row["healthy"], row


@pytest.mark.usefixtures("sandbox")
def test_the_idle_stack_is_measured(machine, figures):
    pause(SETTLED_SECONDS)
    figures.measure(machine.containers())
    print("\n" + figures.table())
    assert set(figures.memory_mib) == {*SERVICES} - {*ABSENT, "airflow-init"}
