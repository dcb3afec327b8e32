"""Whether a sentence is meant well. `sentiment.csv` was written for this project."""

from pathlib import Path

from sandbox.scenarios.parts import Scenario, params_beside

FILE = "sentiment.csv"

SCENARIO = Scenario(
    name="sentiment",
    about="positive or negative from a sentence (688 written for this project)",
    raw_file=FILE,
    raw=Path(__file__).with_name(FILE).read_bytes,
    params=params_beside(__file__),
    example={"text": "Friendly staff, excellent coffee and a lovely view, we will be back."},
)
