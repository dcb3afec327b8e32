"""What one worker serves right now, and how that changes."""

from typing import Any

from prediction_api import logs
from prediction_api.challenger import CHALLENGER, CHAMPION, Challenger
from prediction_api.errors import Refusal
from prediction_api.identity import Identity
from prediction_api.metrics import Metrics
from prediction_api.model import Model
from prediction_api.workers import Workers

MLFLOW = "mlflow"
COPY = "copy"


class Serving:
    """One worker's model. Readers take `model` once per request; changing it is one assignment."""

    def __init__(self, metrics: Metrics, workers: Workers) -> None:
        self.model: Model | None = None
        self.challenger: Challenger | None = None
        #: Why the challenger that MLflow names is not served.
        self.challenger_refusal: dict[str, Any] | None = None
        #: `mlflow` once MLflow has confirmed the version, `copy` before that.
        self.source = COPY
        self.last_refusal: dict[str, Any] | None = None
        #: Why MLflow could not be asked last time, as everybody may read it; empty while it answers.
        self.away = ""
        self._metrics = metrics
        self._workers = workers

    @property
    def identity(self) -> Identity | None:
        """The version that serves, if one does."""
        model = self.model
        return model.identity if model else None

    @property
    def shadow(self) -> Model | None:
        """The challenger that predicts beside the champion, if there is one."""
        challenger = self.challenger
        return challenger.model if challenger and challenger.challenge.shadow else None

    def choose(self, asked: str, key: str) -> tuple[Model | None, str]:
        """The model that answers a request, and its role: the one asked for, else by the request's key."""
        challenger = self.challenger
        if asked == CHALLENGER or (challenger and asked != CHAMPION and challenger.takes(key)):
            return challenger and challenger.model, CHALLENGER
        return self.model, CHAMPION

    def challenge(self, challenger: Challenger | None) -> None:
        """Let this one challenge from the next request on, or nobody."""
        former, self.challenger, self.challenger_refusal = self.challenger, challenger, None
        if former:
            self._metrics.model_info.labels(*former.model.labels, CHALLENGER).set(0)
        if challenger:
            self._metrics.model_info.labels(*challenger.model.labels, CHALLENGER).set(1)
        about = challenger.challenge.describe() if challenger else None
        logs.write("info", "challenge", challenger=about)
        self._announce()

    def swap(self, model: Model, source: str) -> None:
        """Serve this model from the next request on."""
        former = self.model
        self.source = source
        self.model = model
        self.last_refusal = None
        if former and former.labels != model.labels:
            self._metrics.model_info.labels(*former.labels, CHAMPION).set(0)
        self._metrics.model_info.labels(*model.labels, CHAMPION).set(1)
        self._metrics.loaded.set_to_current_time()
        self._metrics.swaps.labels("served").inc()
        logs.write(
            "info", "swap", message=f"Serving {model.identity}.", source=source, **_fields(model.identity)
        )
        self._announce()

    def confirm(self) -> None:
        """Note that what serves is MLflow's champion; a version refused before it is of no interest now."""
        self.source = MLFLOW
        self.last_refusal = None

    def unload(self) -> None:
        """Serve nothing from the next request on."""
        former, self.model = self.model, None
        if former:
            self._metrics.model_info.labels(*former.labels, CHAMPION).set(0)
            message = f"{former.identity} is champion no more and there is no other; serving nothing."
            logs.write("warning", "unload", message=message, **_fields(former.identity))
        self._announce()

    def _announce(self) -> None:
        self._workers.announce(self.identity, self.challenger and self.challenger.challenge)

    def refuse(self, identity: Identity | None, refusal: Refusal, role: str = CHAMPION) -> None:
        """Note why a version is not served; what serves goes on serving."""
        name, version = (identity.name, identity.version) if identity else (None, None)
        why = {"name": name, "version": version, "reason": str(refusal), "at": logs.now()}
        if role == CHALLENGER:
            self.challenger_refusal = why
        else:
            self.last_refusal = why
        self._metrics.swaps.labels("refused").inc()
        message = f"Not serving {identity or 'the copy on disk'}: {refusal}."
        logs.write("error", "refusal", message=message, model=name, model_version=version)


def _fields(identity: Identity) -> dict[str, str]:
    return {"model": identity.name, "model_version": identity.version, "git_sha": identity.git_sha}
