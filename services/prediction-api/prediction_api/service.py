"""The parts of one worker, put together."""

from typing import Any

from prediction_api.copies import Copies
from prediction_api.follower import Follower
from prediction_api.metrics import Metrics, forget_processes
from prediction_api.model import Model
from prediction_api.registry import Registry
from prediction_api.serving import Serving
from prediction_api.settings import Settings
from prediction_api.workers import Workers, lives


class Service:
    """What the routes of one worker need."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.workers = Workers(settings.workers_folder)
        self.serving = Serving(self.metrics, self.workers)
        copies = Copies(settings.models_folder, settings.keep_models)
        self.follower = Follower(settings, self.serving, Registry(settings), copies, self.metrics)

    def start(self) -> None:
        """Serve from the copy if there is one, then follow MLflow in the background."""
        self.workers.announce(None)
        forget_processes(self.settings.metrics_folder, lives)
        self.follower.start_from_copy()
        self.follower.start()

    def count(self, model: Model, predictions: list[Any]) -> None:
        """Count what was predicted."""
        self.metrics.rows.inc(len(predictions))
        name, version = model.labels[:2]
        for label, times in model.count(predictions).items():
            self.metrics.predictions_of(name, version, label).inc(times)
