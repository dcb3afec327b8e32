"""Heart disease with the columns of the Cleveland data. The rows are SYNTHETIC: `rows.py` makes them up."""

from sandbox.scenarios.heart.rows import COLUMNS, make_rows
from sandbox.scenarios.parts import Scenario, as_csv, params_beside

PATIENT = (63, 1, 3, 145, 233, 1, 0, 150, 0, 2.3, 0, 0, 1)

SCENARIO = Scenario(
    name="heart",
    about="heart disease from 13 findings (SYNTHETIC patients, made up by a generator)",
    raw_file="heart-synthetic.csv",
    raw=lambda: as_csv(COLUMNS, make_rows()),
    params=params_beside(__file__),
    example=dict(zip(COLUMNS, PATIENT, strict=False)),
)
