"""Docs that lie are bugs: what they name is there."""

import re
from collections import defaultdict

import pytest

from sandbox.cli import cli
from sandbox.compose import FILE
from sandbox.drivers.cards import read_cards
from sandbox.drivers.processes import all_processes
from sandbox.endpoints import embedded_endpoints

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/tour.md",
    "docs/docker.md",
    "docs/doctor.md",
    "docs/drift.md",
    "docs/scenarios.md",
    "docs/your-own-data.md",
    "scripts/sandbox/scenarios/README.md",
    "docs/architecture.md",
    "docs/decisions.md",
    "docs/performance.md",
    "docs/monitoring.md",
    "docs/runbook.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_leads_somewhere(root, page):
    text = (root / page).read_text()
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert ((root / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_named_is_there(root, page):
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    targets |= {"image", "install", "deliver"}  # of the sample repositories
    named = set(re.findall(r"`make ([a-z-]+)", (root / page).read_text()))
    assert named <= targets


def test_every_verb_has_its_make_target(root):
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    verbs = {
        f"{name}-{sub}" if sub else name
        for name, command in cli.commands.items()
        for sub in getattr(command, "commands", [""])
    }
    assert "data-push" in verbs
    assert verbs <= targets


def test_readme_lists_exactly_the_services(root, tmp_path, settings):
    names = {p.name for p in all_processes(settings, embedded_endpoints(settings, tmp_path), tmp_path)}
    table = (root / "README.md").read_text().split("## Services")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = [name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)]
    assert sorted(listed) == sorted(names | {*read_cards(FILE, defaultdict(str))})


def test_readme_stays_short(root):
    assert len((root / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("project", ["model_training", "data_preprocessing", "airflow_dags"])
def test_a_repositorys_readme_lists_its_files(root, project):
    folder = root / "gitea_repos" / project
    readme = (folder / "README.md").read_text()
    skipped = {
        "README.md",
        "__init__.py",
        "__main__.py",
        ".gitignore",
        ".dockerignore",
        ".dvcignore",
        ".airflowignore",
    }
    names = {p.name for p in folder.iterdir() if p.is_file()} | {
        p.name for part in (project, "dags", "loop") for p in (folder / part).glob("*.py")
    }
    assert sorted(name for name in names - skipped if name not in readme) == []
