"""The raw data of the first scenario: scikit-learn's iris, written as CSV into the data store."""

from io import BytesIO

from sandbox.context import Context
from sandbox.raw_store import raw_store
from sandbox.scenarios.iris import SCENARIO, raw

NAME = SCENARIO.raw_file
SAID = f"{NAME} (150 rows)"


def run(context: Context) -> str:
    """Write iris.csv where there is none; a file that is there is the user's."""
    store = raw_store(context)
    if store.has(NAME):
        return ""
    store.put(NAME, BytesIO(raw()))
    return SAID
