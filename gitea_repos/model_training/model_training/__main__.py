"""The train task: `python -m model_training`."""

import logging
import signal
import sys
from typing import Any

from model_training.download import start_download
from model_training.params import Params
from model_training.report import run_task
from model_training.settings import PARAMS_FILE, Settings, prepare_mlflow


def work() -> dict[str, Any]:
    """Train as environment and params.yaml say, and return the result."""
    settings, params = Settings.from_env(), Params.read(PARAMS_FILE)
    prepare_mlflow(settings.mlflow_tracking_uri)
    with start_download() as download:
        # Imported here: this takes seconds, in which the data arrives.
        from model_training.training import train

        return train(settings, params, download.wait)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("model_training.search").setLevel(logging.INFO)  # a line for each trial
    # A stopped task ends its run and its download on the way out.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    sys.exit(run_task(work))
