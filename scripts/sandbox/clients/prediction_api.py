"""The prediction API: what it serves, and predictions."""

from typing import Any

import requests

from sandbox.http import ApiError, Http


class PredictionApi:
    """One running API."""

    def __init__(self, url: str) -> None:
        self.http = Http("prediction-api", url)

    def model(self) -> dict[str, Any] | None:
        """What is served: name, version, git_sha, data_version. None: no model yet, or the API is down."""
        try:
            answer = self.http.get("/model")
        except ApiError as error:
            if error.status in (0, 503):
                return None
            raise
        return {key: answer[key] for key in ("name", "version", "git_sha", "data_version")}

    def about(self) -> dict[str, Any]:
        """All that `GET /model` says. Raises ApiError, also while nothing is served."""
        answer: dict[str, Any] = self.http.get("/model")
        return answer

    def predict(self, instances: list[Any]) -> requests.Response:
        """Predictions with their headers."""
        return self.http.call("POST", "/predict", json={"instances": instances})
