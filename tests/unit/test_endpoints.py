"""loop.env is the seam of every task: its keys are those that the architecture page lists."""

import re

from sandbox.endpoints import embedded_endpoints


def test_loop_env_has_exactly_the_documented_keys(tmp_path, root, settings):
    keys = embedded_endpoints(settings, tmp_path).loop_env(settings).keys()
    page = (root / "docs" / "architecture.md").read_text()
    section = page.split("## Seam 1")[1].split("## Seam 2")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert set(keys) == {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}


def test_statuses_are_set_by_the_user_of_the_loop(tmp_path, settings):
    keys = embedded_endpoints(settings, tmp_path).loop_env(settings)
    assert (keys["STATUS_USER"], keys["STATUS_TOKEN"]) == ("loop", settings.ci_token)
