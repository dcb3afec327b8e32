"""The look, every few seconds in one thread: a server that is away leaves what was seen of it before."""

import logging
import threading
import time
from collections.abc import Callable

from monitor.airflow import Airflow
from monitor.delivery import Delivery
from monitor.errors import Away
from monitor.heads import HeadWatch
from monitor.mlflow import Mlflow
from monitor.registry import RegistryWatch
from monitor.runs import RunWatch
from monitor.settings import Settings
from monitor.statuses import Statuses
from monitor.store import Store

log = logging.getLogger(__name__)

UP = "up"
SERVICES = ("airflow", "mlflow", "ci", "git")
FORGETS_EVERY = 3600.0  # seconds


class Watch:
    """Looks at everything until it is stopped; `looked` is when it last did, in seconds since 1970."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.every = store, settings.poll_seconds
        statuses = Statuses(
            settings.status_url, settings.organisation, settings.status_user, settings.status_token
        )
        airflow = Airflow(settings.airflow_url, settings.airflow_user, settings.airflow_password)
        mlflow = Mlflow(settings.mlflow_url, settings.mlflow_user, settings.mlflow_password)
        heads = HeadWatch(store, statuses, settings.git_url, settings.repositories)
        self.looks: dict[str, Callable[[], None]] = {
            "airflow": RunWatch(store, airflow, statuses, settings.celebrate).look,
            "mlflow": RegistryWatch(store, mlflow, settings.git_url, settings.model_name).look,
            "git": heads.look_at_git,
            "ci": heads.look_at_statuses,
        }
        self.delivery = Delivery(store, settings.alertmanager_url)
        self.looked = 0.0
        self._forgot = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; waits a moment for a look to end."""
        self._end.set()
        self._thread.join(2)

    @property
    def alive(self) -> bool:
        """Whether it looks."""
        return self._thread.is_alive()

    def look(self) -> None:
        """One look at everything. Never raises: what goes wrong is logged, and seen again at the next one."""
        before = self.store.known(UP) or {}
        up = {name: self._answers(name, look, before.get(name)) for name, look in self.looks.items()}
        self.store.know(UP, up)
        self.looked = time.time()
        self.delivery.deliver()
        if self.looked - self._forgot > FORGETS_EVERY:
            self.store.forget(self.looked)
            self._forgot = self.looked

    def _answers(self, name: str, look: Callable[[], None], before: bool | None) -> bool:
        try:
            look()
        except Away as error:
            if before is not False:
                log.warning("%s is away: %s", name, error)
            return False
        except Exception:  # an answer of a form that nobody foresaw must not end the other looks
            log.exception("The answer of %s could not be used", name)
            return False
        if before is False:
            log.info("%s answers again", name)
        return True

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self.look()
            except Exception:  # a full disk above all
                log.exception("What was seen could not be kept")
            self._end.wait(self.every)
