"""What the prediction API serves, and the newest requests in its log."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from model_training.errors import TrainingError, UnavailableError
from model_training.report import first_line
from model_training.settings import DriftSettings

MOST_ROWS = 5000  # of one answer of the API
SECONDS = (5, 30)  # to connect, to answer
DATA_VERSION = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Served:
    """The served model: its registered name, its version and the version of its training data."""

    name: str
    version: str
    data_version: str


class Api:
    """The prediction API, asked without a proxy's or .netrc's login: only the token is shown."""

    def __init__(self, settings: DriftSettings) -> None:
        self.url = settings.api_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        if settings.api_token:
            self._session.headers["Authorization"] = f"Bearer {settings.api_token}"

    def served(self) -> Served | None:
        """What serves, None where nothing does; raises TrainingError where its data are not known."""
        answer = self._get("/model", {})
        if answer.status_code == 503:
            return None
        found = self._document(answer)
        served = Served(*(str(found.get(name, "")) for name in ("name", "version", "data_version")))
        if not DATA_VERSION.fullmatch(served.data_version):
            raise TrainingError(
                f"{served.name} version {served.version} does not say of which data it was made "
                f"(data_version {served.data_version!r}); serve a version that the loop has trained."
            )
        return served

    def requests_of(self, served: Served, hours: float) -> list[dict[str, Any]]:
        """The newest rows of that version in the last hours, the newest first; `at` and `inputs` of each."""
        since = datetime.now(UTC) - timedelta(hours=hours)
        query = {"model": served.name, "version": served.version, "limit": str(MOST_ROWS)}
        query["since"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        found = self._document(self._get("/predictions", query))
        return list(found["rows"])

    def _get(self, path: str, query: dict[str, str]) -> requests.Response:
        try:
            return self._session.get(self.url + path, params=query, timeout=SECONDS)
        except requests.RequestException as error:
            raise UnavailableError(
                f"The prediction API at {self.url} does not answer: {first_line(error)}"
            ) from error

    def _document(self, answer: requests.Response) -> dict[str, Any]:
        """The answer's JSON; raises what the status means."""
        try:
            found = answer.json()
        except ValueError:
            found = None
        said = found.get("detail", "") if isinstance(found, dict) else answer.text[:200]
        path = answer.request.path_url.partition("?")[0]
        if answer.status_code >= 500 or answer.status_code == 429:
            raise UnavailableError(f"{self.url}{path} answered {answer.status_code}: {said}")
        if answer.status_code == 401:
            raise TrainingError(f"The prediction API does not take API_TOKEN: {said}")
        if answer.status_code >= 400 or not isinstance(found, dict):
            raise TrainingError(f"{self.url}{path} answered {answer.status_code}: {said}")
        return found
