"""The drift task: `python -m model_training.drift`."""

import logging
import signal
import sys
from typing import Any

from model_training.report import run_task
from model_training.settings import DriftSettings, prepare_mlflow


def work() -> dict[str, Any]:
    """Judge as the environment says, and return the result."""
    settings = DriftSettings.from_env()
    prepare_mlflow(settings.mlflow_tracking_uri)
    # Imported here: whatever takes seconds is not needed to say what is wrong with the environment.
    from model_training.drift.judge import judge

    return judge(settings)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    # A stopped task ends its run and its download on the way out.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    sys.exit(run_task(work))
