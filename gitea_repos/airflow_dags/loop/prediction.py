"""The prediction API: what it serves, what it could serve, and a live prediction."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from loop.errors import Refused, Unreachable
from loop.http import Service, document
from loop.settings import Settings

INFO = "prediction_api_model_info"


@dataclass(frozen=True)
class Served:
    """What the API says of itself: the version of each worker, and the last model it would not load."""

    workers: tuple[tuple[str, str], ...]  # name and version of the model of each
    refused: tuple[str, str]
    refused_reason: str
    refused_at: str  # ISO 8601; empty where the API does not say it
    libraries: dict[str, str]
    types: tuple[str, ...]
    pin: str = ""  # the version or run it serves whatever is champion

    def is_all(self, name: str, version: str) -> bool:
        """Whether every worker answers with that version."""
        return set(self.workers) == {(name, version)}


class Bearer(AuthBase):
    """A token in the header Authorization, RFC 6750; unlike a header of the session no .netrc replaces it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class PredictionAPI:
    """The running API."""

    def __init__(self, settings: Settings) -> None:
        self.service = Service("The prediction API", settings.api_url)
        if settings.api_token:
            self.service.session.auth = Bearer(settings.api_token)

    def served(self) -> Served:
        """What `GET /model` says; an API without a model says it in a 503 problem document."""
        # 503 is an answer here, not a failure.
        found = document(self.service.call("GET", "/model", accept=(503,)), self.service.name)
        if "servable" not in found:
            raise Unreachable(f"{self.service.name} does not say what it can serve: it is not up yet")
        return read_served(found)

    def predict(self, instances: list[dict[str, Any]]) -> tuple[list[Any], str, str]:
        """The labels of `instances`, and the model's name and version from the answer's headers."""
        role = {"X-Model-Role": "champion"}  # a challenger would answer some of them
        answer = self.service.call("POST", "/predict", json={"instances": instances}, headers=role)
        labels = document(answer, self.service.name).get("predictions")
        headers = answer.headers
        return labels or [], headers.get("X-Model-Name", ""), headers.get("X-Model-Version", "")

    def logged(self, name: str, version: str, since: datetime, most: int) -> int:
        """How many rows of that version were logged since then, counted up to `most`; that many too where
        their inputs are too large for one answer.
        """
        query = {"model": name, "version": version, "limit": str(most)}
        query["since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        found = self.service.json("GET", "/predictions", params=query)
        return most if found["more"] else len(found["rows"])

    def counts(self, name: str, version: str) -> bool:
        """Whether the API's metrics name that model and version."""
        try:
            text = self.service.call("GET", "/metrics").text
        except Refused:
            return False
        lines = [line for line in text.splitlines() if line.startswith(f"{INFO}{{")]
        wanted = (f'name="{name}"', f'version="{version}"')
        # A model that served before stays in the metrics with the value 0.
        return any(all(label in line for label in wanted) and float(line.split()[-1]) > 0 for line in lines)


def read_served(found: dict[str, Any]) -> Served:
    """Read the document of `GET /model`; a problem document has `servable` alone."""
    servable = found.get("servable") or {}
    refusal = found.get("last_refusal") or {}
    return Served(
        workers=tuple(_identity(worker) for worker in found.get("workers") or ()),
        refused=_identity(refusal),
        refused_reason=str(refusal.get("reason", "")),
        refused_at=str(refusal.get("at") or ""),
        libraries=servable.get("libraries") or {},
        types=tuple(servable.get("types") or ()),
        pin=str(found.get("pin") or ""),
    )


def _identity(found: dict[str, Any]) -> tuple[str, str]:
    return str(found.get("name") or ""), str(found.get("version") or "")
