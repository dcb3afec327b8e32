"""Events on their way: to Alertmanager where there is one, else straight into the inbox."""

import logging
import time
from datetime import UTC, datetime, timedelta

from monitor.errors import Away
from monitor.inbox import receive
from monitor.sessions import Server
from monitor.store import Document, Store

log = logging.getLogger(__name__)

FIRES = timedelta(minutes=15)  # that an event stands in Alertmanager: above its group_wait and group_interval
PATIENCE = 900.0  # seconds that Alertmanager may be away before an event goes into the inbox by itself


class Delivery:
    """Delivers each event once; what did not get through is tried again at the next look."""

    def __init__(self, store: Store, alertmanager_url: str) -> None:
        self.store = store
        self.alertmanager = Server("Alertmanager", alertmanager_url) if alertmanager_url else None

    def deliver(self) -> None:
        """Send all events that wait."""
        for key, at, document in self.store.waiting_events():
            if self.alertmanager is None or not self._sent(self.alertmanager, document):
                if self.alertmanager and time.time() - at < PATIENCE:
                    return
                self._put(document)
            self.store.event_delivered(key)

    def _sent(self, alertmanager: Server, document: Document) -> bool:
        alert = document | {"endsAt": (datetime.now(UTC) + FIRES).isoformat()}
        try:
            answer = alertmanager.call("POST", "/api/v2/alerts", json=[alert])
        except Away as error:
            log.warning("%s; the event waits", error)
            return False
        if not answer.ok:
            log.error("Alertmanager refused an event (%s): %s", answer.status_code, answer.text[:200])
            self._put(document)
        return True

    def _put(self, document: Document) -> None:
        receive(self.store, {"version": "4", "alerts": [document | {"status": "firing"}]})
