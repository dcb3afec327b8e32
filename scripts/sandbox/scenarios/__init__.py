"""The scenarios, each a folder; `README.md` says how to add one, `sandbox/scenario.py` pushes them."""

from sandbox.scenarios import heart, iris, sentiment
from sandbox.scenarios.parts import Scenario

SCENARIOS: dict[str, Scenario] = {part.SCENARIO.name: part.SCENARIO for part in (iris, heart, sentiment)}
