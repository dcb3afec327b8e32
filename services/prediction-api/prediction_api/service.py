"""The parts of one worker, put together."""

from typing import Any

from prediction_api.challenger import CHAMPION
from prediction_api.copies import Copies
from prediction_api.follower import Follower
from prediction_api.metrics import Metrics, forget_processes
from prediction_api.model import Model
from prediction_api.prediction_log.log import PredictionLog
from prediction_api.record import Record
from prediction_api.registry import Registry
from prediction_api.serving import Serving
from prediction_api.settings import Settings
from prediction_api.slow_clients import SlowClients
from prediction_api.workers import Workers, lives


class Service:
    """What the routes of one worker need."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.workers = Workers(settings.workers_folder)
        self.serving = Serving(self.metrics, self.workers)
        self.log = PredictionLog(settings, self.metrics) if settings.prediction_log else None
        copies = Copies(settings.models_folder, settings.keep_models)
        self.follower = Follower(settings, self.serving, Registry(settings), copies, self.metrics)

    def start(self) -> None:
        """Serve from the copy if there is one, then follow MLflow in the background."""
        self.workers.announce(None)
        forget_processes(self.settings.metrics_folder, lives)
        self.follower.start_from_copy()
        self.follower.start()
        if self.log:
            self.log.writer.start()
        SlowClients(self.settings.port, self.settings.body_seconds).start()

    def log_prediction(self, record: Record, model: Model, predictions: list[Any]) -> None:
        """Log what was predicted, and have the shadow predict it too; nobody waits for either."""
        if self.log is None:
            return
        taken, shadow = self.log.put(record, model, predictions), self.serving.shadow
        if taken and shadow and record.role == CHAMPION:
            self.log.put_shadow(record, shadow, predictions)

    def count(self, model: Model, predictions: list[Any]) -> None:
        """Count what was predicted."""
        self.metrics.rows.inc(len(predictions))
        name, version = model.labels[:2]
        for label, times in model.count(predictions).items():
            self.metrics.predictions_of(name, version, label).inc(times)
