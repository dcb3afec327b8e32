"""MLflow's REST API, as much of it as following a champion needs.

Importing mlflow would cost seconds of start-up and most of the memory; these are six plain requests.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from prediction_api.challenger import CHALLENGER, CHAMPION, Challenge
from prediction_api.errors import LoginRefused, PinError, Refusal, RegistryError
from prediction_api.identity import Identity
from prediction_api.settings import Settings

#: Tags of a registered model that `sandbox challenge` sets.
PERCENT, MODE = "challenger_percent", "challenger_mode"
DEFAULT_PERCENT = 10.0
RUN_ID = re.compile(r"[0-9a-f]{32}")
NEVER = datetime.min.replace(tzinfo=UTC)
#: Seconds to connect, and to wait for the next bytes.
TIMEOUT = (3.05, 30)
PAGE = 100
CHUNK_BYTES = 1_048_576
#: More than this is no model this service was made for.
MAX_FILES = 1_000


@dataclass(frozen=True)
class Look:
    """What is to be served, as of one look."""

    champion: Identity | None
    challenge: Challenge | None = None


class Registry:
    """A client of one MLflow server; every method raises RegistryError if the server fails."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.mlflow_url
        self._model_name = settings.model_name
        self._pin = settings.model_pin
        self._login = settings.mlflow_user
        self._session = requests.Session()
        if settings.mlflow_user:
            self._session.auth = (settings.mlflow_user, settings.mlflow_password)

    def look(self) -> Look:
        """What MODEL_PIN names; else champion and challenger of the model promoted last, or of MODEL_NAME."""
        with self._form_checked():
            if self._pin:
                return Look(self._pinned())
            models = [model for model in self._models() if _has(model, CHAMPION)]
            model = max(models, key=_promoted_at, default=None)
            if model is None:
                return Look(None)
            challenge = self._challenge(model) if _has(model, CHALLENGER) else None
            return Look(self._aliased(model["name"], CHAMPION), challenge)

    def has_no_champion(self, name: str) -> bool:
        """Whether MLflow shows this registered model, and without the alias.

        A registry that lacks the model itself may be a new or wrong one; its silence proves nothing.
        """
        with self._form_checked():
            return any(
                model["name"] == name and not _has(model, CHAMPION) for model in self._named_model(name)
            )

    def artifact_root(self, identity: Identity) -> str:
        """Where the version's files lie behind MLflow's artifact proxy; Refusal if they lie elsewhere."""
        answer = self._json(
            "mlflow/model-versions/get-download-uri", name=identity.name, version=identity.version
        )
        uri = urlsplit(str(answer.get("artifact_uri", "")))
        if uri.scheme != "mlflow-artifacts" or not uri.path.strip("/"):
            raise Refusal(
                f"its files lie at {uri.geturl()}, not behind MLflow; start MLflow with --serve-artifacts"
            )
        return uri.path.strip("/")

    def files(self, root: str) -> list[tuple[str, int]]:
        """Path below `root` and size in bytes of every file there; Refusal on a path that leads outside."""
        found: list[tuple[str, int]] = []
        folders = [""]
        while folders:
            for path, size in self._list(root, folders.pop()):
                folders.append(path) if size is None else found.append((path, size))
            if len(found) + len(folders) > MAX_FILES:
                raise Refusal(f"it consists of more than {MAX_FILES} files")
        if not found:
            raise Refusal("it has no files in MLflow's artifact store")
        return found

    def download(self, root: str, path: str) -> Iterator[bytes]:
        """The content of one file, in pieces."""
        url = f"{self._url}/api/2.0/mlflow-artifacts/artifacts/{quote(f'{root}/{path}')}"
        try:
            with self._session.get(url, stream=True, timeout=TIMEOUT) as response:
                self._check(response)
                yield from response.iter_content(CHUNK_BYTES)
        except requests.RequestException as error:
            raise RegistryError(
                f"MLflow at {self._url} broke off while sending {path}: {_cause(error)}."
            ) from error

    def _aliased(self, name: str, alias: str) -> Identity:
        answer = self._json("mlflow/registered-models/alias", name=name, alias=alias)
        return Identity.from_registry(answer["model_version"])

    def _challenge(self, model: dict[str, Any]) -> Challenge:
        tags = _tags(model)
        return Challenge(
            self._aliased(model["name"], CHALLENGER), _percent(tags.get(PERCENT)), tags.get(MODE) == "shadow"
        )

    def _pinned(self) -> Identity:
        """The version or run that MODEL_PIN names; RegistryError where MLflow has none."""
        wanted = f"run_id='{self._pin}'" if RUN_ID.fullmatch(self._pin) else f"name='{self._model_name}'"
        answer = self._json("mlflow/model-versions/search", filter=wanted, max_results=10_000)
        for found in answer.get("model_versions", []):
            if self._pin in (str(found.get("version")), found.get("run_id")):
                return Identity.from_registry(found)
        raise PinError(f"MODEL_PIN={self._pin} names no version of {self._model_name or 'any model'}.")

    def _list(self, root: str, folder: str) -> Iterator[tuple[str, int | None]]:
        answer = self._json("mlflow-artifacts/artifacts", path=f"{root}/{folder}".rstrip("/"))
        for entry in answer.get("files", []):
            path = PurePosixPath(folder, str(entry["path"]))
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise Refusal(f"its file {path} leads outside the model")
            yield str(path), None if entry.get("is_dir") else int(entry.get("file_size", 0))

    def _models(self) -> Iterator[dict[str, Any]]:
        if self._model_name:
            yield from self._named_model(self._model_name)
            return
        token = ""
        while True:
            answer = self._json("mlflow/registered-models/search", max_results=PAGE, page_token=token or None)
            yield from answer.get("registered_models", [])
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _named_model(self, name: str) -> Iterator[dict[str, Any]]:
        response = self._get("mlflow/registered-models/get", name=name)
        if _says_absent(response):
            return
        yield self._decode(response)["registered_model"]

    @contextmanager
    def _form_checked(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RegistryError(
                f"MLflow at {self._url} gave an answer of another form: {error!r}."
            ) from error

    def _json(self, route: str, **params: Any) -> dict[str, Any]:
        return self._decode(self._get(route, **params))

    def _get(self, route: str, **params: Any) -> requests.Response:
        try:
            return self._session.get(f"{self._url}/api/2.0/{route}", params=params, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise RegistryError(f"MLflow at {self._url} does not answer: {_cause(error)}.") from error

    def _decode(self, response: requests.Response) -> dict[str, Any]:
        self._check(response)
        try:
            answer = response.json()
        except requests.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise RegistryError(f"MLflow at {self._url} did not answer with JSON; is the address right?")
        return answer

    def _unauthorized(self) -> str:
        if not self._login:
            return "asks for a login; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        return f"refuses the password of {self._login}; look at MLFLOW_TRACKING_PASSWORD"

    def _check(self, response: requests.Response) -> None:
        if response.status_code == requests.codes.unauthorized:
            raise LoginRefused(f"MLflow at {self._url} {self._unauthorized()}.")
        if not response.ok:
            said = " ".join(response.text[:300].split())
            raise RegistryError(f"MLflow at {self._url} answered {response.status_code}: {said}")


def _has(model: dict[str, Any], alias: str) -> bool:
    return any(each.get("alias") == alias for each in model.get("aliases", []))


def _tags(model: dict[str, Any]) -> dict[str, str]:
    return {tag.get("key"): tag.get("value") or "" for tag in model.get("tags", [])}


def _percent(text: str | None) -> float:
    """A share of the requests; what is none counts as the default, for anybody may edit a tag."""
    try:
        percent = float(text or "")
    except ValueError:
        return DEFAULT_PERCENT
    return percent if 0 <= percent <= 100 else DEFAULT_PERCENT


def _says_absent(response: requests.Response) -> bool:
    """Whether MLflow itself says so; a 404 of a proxy, or of a server that still starts, says nothing."""
    if response.status_code != requests.codes.not_found:
        return False
    try:
        return response.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    except (requests.JSONDecodeError, KeyError, TypeError):
        return False


def _promoted_at(model: dict[str, Any]) -> datetime:
    """When the model was promoted; a tag that is missing or no time counts as never."""
    try:
        moment = datetime.fromisoformat(_tags(model).get("promoted_at", ""))
    except ValueError:
        return NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _cause(error: BaseException) -> str:
    """The innermost reason in one line; urllib3 wraps it three times."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
