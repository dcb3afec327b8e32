"""The prediction API: what it serves, what it logged, and predictions."""

from typing import Any
from urllib.parse import quote

import requests

from sandbox.http import ApiError, Http


class PredictionApi:
    """One running API."""

    def __init__(self, url: str, token: str = "") -> None:
        """`token` is one of API_TOKENS; empty where the API asks for none."""
        self.http = Http("prediction-api", url, {"Authorization": f"Bearer {token}"} if token else None)

    def about(self) -> dict[str, Any] | None:
        """All that `GET /model` says. None: no model yet, or the API is down."""
        try:
            answer: dict[str, Any] = self.http.get("/model")
        except ApiError as error:
            if error.status in (0, 503):
                return None
            raise
        return answer

    def model(self) -> dict[str, Any] | None:
        """What is served: name, version, git_sha, data_version; None as `about`."""
        return served(self.about())

    def logged(self, request_id: str) -> dict[str, Any] | None:
        """What the prediction log holds of a request, or None."""
        found: dict[str, Any] | None = self.http.find(f"/predictions/{quote(request_id, safe='')}")
        return found

    def newest(self, **query: Any) -> list[dict[str, Any]]:
        """The newest rows of the prediction log; `query` as `GET /predictions` takes it."""
        found: list[dict[str, Any]] = self.http.get("/predictions", **query)["rows"]
        return found

    def predict(self, request: Any, headers: dict[str, str] | None = None) -> requests.Response:
        """Predictions with their headers; `request` has one of the forms that `POST /predict` takes."""
        return self.http.call("POST", "/predict", json=request, headers=headers)


def served(about: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of what `GET /model` says: which model it is."""
    return {key: about[key] for key in ("name", "version", "git_sha", "data_version")} if about else None
