"""Follows the champion: one thread per worker that looks at MLflow and moves the worker's model."""

import os
import signal
import threading
import time
from dataclasses import dataclass

from prediction_api import logs
from prediction_api.challenger import CHALLENGER, Challenger
from prediction_api.copies import Copies
from prediction_api.errors import Refusal, RegistryError
from prediction_api.identity import Identity
from prediction_api.loading import load
from prediction_api.metrics import Metrics
from prediction_api.registry import Look, Registry
from prediction_api.serving import COPY, MLFLOW, Serving
from prediction_api.settings import Settings

#: Longest pause in seconds between two looks while MLflow is away.
LONGEST_OUTAGE_PAUSE = 30.0
#: The same between two tries of a refused version.
LONGEST_REFUSAL_PAUSE = 300.0


@dataclass
class Refused:
    """A version that was not served, and when it is tried again."""

    identity: Identity | None = None
    tries: int = 0
    retry_at: float = 0.0


class Follower:
    """Moves one worker's model to the champion, version by version."""

    def __init__(
        self, settings: Settings, serving: Serving, registry: Registry, copies: Copies, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._serving = serving
        self._registry = registry
        self._copies = copies
        self._metrics = metrics
        self._failures = 0
        self._refused = Refused()
        self._refused_challenger = Refused()
        self._state = ""

    def start_from_copy(self) -> None:
        """Serve the version served last from its copy, if there is a sound one."""
        identity = None
        try:
            identity = self._copies.current()
            if identity and self._wants(identity):
                self._serving.swap(load(self._copies.verified(identity), identity), COPY)
        except Refusal as refusal:
            self._serving.refuse(identity, refusal)

    def start(self) -> None:
        """Follow in the background until the process ends."""
        threading.Thread(target=self._run, args=(os.getppid(),), name="follower", daemon=True).start()

    def look(self) -> float:
        """Look at MLflow once and move if the champion moved; returns seconds until the next look."""
        try:
            look = self._registry.look()
            champion = look.champion
            if champion:
                self._follow(champion)
            else:
                self._leave()
            self._follow_challenger(look)
            self._failures = 0
            self._serving.away = ""
            self._report_registry(champion)
            return self._settings.poll_seconds
        except RegistryError as error:
            return self._endure(error)
        except OSError as error:
            self._report(
                "disk", "error", f"Cannot write below {self._settings.home}: {error.strerror or error}."
            )
            return self._settings.poll_seconds

    def _run(self, parent: int) -> None:
        while True:
            try:
                pause = self.look()
            except Exception as error:
                # The thread must outlive what nobody foresaw, or the worker would serve one version for ever.
                logs.write(
                    "error", "unexpected", message=f"Following failed: {error!r}.", trace=logs.trace(error)
                )
                pause = LONGEST_OUTAGE_PAUSE
            until = time.monotonic() + pause
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, 1.0))
                _end_with(parent)

    def _follow(self, champion: Identity) -> None:
        if champion == self._serving.identity:
            self._refused = Refused()
            self._serving.confirm()
            return
        if self._waits(self._refused, champion):
            return
        try:
            model = load(self._copies.fetch(champion, self._registry), champion)
        except Refusal as refusal:
            self._refuse(champion, refusal)
            return
        self._refused = Refused()
        self._serving.swap(model, MLFLOW)
        self._copies.serve(champion)

    def _follow_challenger(self, look: Look) -> None:
        """Load the challenger, or drop it where MLflow names none or the champion itself."""
        challenge, current = look.challenge, self._serving.challenger
        if challenge is None or challenge.identity in (look.champion, self._serving.identity):
            self._refused_challenger = Refused()
            if current or self._serving.challenger_refusal:
                self._serving.challenge(None)
            return
        if current and current.challenge == challenge:
            return
        model = current.model if current and current.model.identity == challenge.identity else None
        if model is None and self._waits(self._refused_challenger, challenge.identity):
            return
        try:
            model = model or load(self._copies.fetch(challenge.identity, self._registry), challenge.identity)
        except (Refusal, RegistryError) as error:
            # Also where MLflow breaks off while sending it: the champion is followed on without a pause.
            refusal = error if isinstance(error, Refusal) else Refusal("its files could not be had")
            if current:
                self._serving.challenge(None)
            self._refused_challenger = self._again(self._refused_challenger, challenge.identity)
            self._serving.refuse(challenge.identity, refusal, CHALLENGER)
            return
        self._refused_challenger = Refused()
        self._serving.challenge(Challenger(model, challenge))

    def _wants(self, identity: Identity) -> bool:
        """Whether the settings allow this version before MLflow was asked."""
        named = self._settings.model_name in {"", identity.name}
        return named and self._settings.model_pin in {"", identity.version, identity.run_id}

    def _leave(self) -> None:
        """Serve nothing more where MLflow says that the served model has no champion now."""
        self._refused = Refused()
        served = self._serving.identity
        if served and self._registry.has_no_champion(served.name):
            self._copies.forget()
            self._serving.unload()

    def _refuse(self, champion: Identity, refusal: Refusal) -> None:
        self._refused = self._again(self._refused, champion)
        self._serving.refuse(champion, refusal)

    def _waits(self, refused: Refused, identity: Identity) -> bool:
        """Whether a version that was refused is not tried again yet."""
        return identity == refused.identity and time.monotonic() < refused.retry_at

    def _again(self, refused: Refused, identity: Identity) -> Refused:
        """The same version is tried again after a pause that doubles."""
        tries = refused.tries + 1 if identity == refused.identity else 1
        pause = _pause(self._settings.poll_seconds, tries, LONGEST_REFUSAL_PAUSE)
        return Refused(identity, tries, time.monotonic() + pause)

    def _endure(self, error: RegistryError) -> float:
        self._failures += 1
        if self._serving.away != error.summary:
            self._state = ""  # another kind of reason is another line in the log
        self._serving.away = error.summary
        self._metrics.registry_errors.inc()
        self._report(
            "away", "warning", f"{error} Serving goes on with {self._serving.identity or 'no model'}."
        )
        return _pause(self._settings.poll_seconds, self._failures - 1, LONGEST_OUTAGE_PAUSE)

    def _report_registry(self, champion: Identity | None) -> None:
        if champion:
            which = "MODEL_PIN names" if self._settings.model_pin else "its champion is"
            self._report("following", "info", f"Following MLflow: {which} {champion}.")
        else:
            which = self._settings.model_name or "registered model"
            self._report("empty", "info", f"MLflow has no {which} with the alias champion yet.")

    def _report(self, state: str, level: str, message: str) -> None:
        """Log a change of state once, not every look."""
        if state != self._state:
            self._state = state
            logs.write(level, "registry", state=state, message=message)


def _pause(first: float, doublings: int, longest: float) -> float:
    return min(first * 2 ** min(doublings, 20), max(first, longest))


def _end_with(parent: int) -> None:
    # A killed main process cannot stop its workers, and they would go on holding the port.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
