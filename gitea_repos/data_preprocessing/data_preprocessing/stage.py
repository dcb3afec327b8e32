"""How a stage ends: an expected failure leaves its reason in reports/failure.json."""

import sys
from collections.abc import Callable

from data_preprocessing.console import say
from data_preprocessing.errors import DataError, Rejected
from data_preprocessing.layout import FAILURE, write_json


def run_stage(name: str, work: Callable[[], object]) -> None:
    """Do the work of a stage; on an expected failure keep its reason and exit with 1."""
    FAILURE.unlink(missing_ok=True)
    try:
        work()
    except DataError as error:
        write_json(FAILURE, {"stage": name, "rejected": isinstance(error, Rejected), "detail": str(error)})
        say(f"{name} failed: {error}")
        sys.exit(1)
