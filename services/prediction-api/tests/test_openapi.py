"""The OpenAPI document is of the model that serves: what it shows as accepted is accepted."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jsonschema_rs
import models
import pytest

from prediction_api.application import create_app
from prediction_api.model import Model
from prediction_api.openapi import document
from prediction_api.problems import KINDS
from prediction_api.schemas import VALUES
from prediction_api.service import Service
from prediction_api.serving import COPY
from prediction_api.settings import Settings
from prediction_api.values import KINDS as COLUMN_KINDS

TRAINED = {"iris": models.logistic, "mixed": models.mixed, "text": models.text}


@pytest.fixture(scope="module", params=TRAINED)
def model(request: pytest.FixtureRequest, load_trained: Callable[[models.Trained], Model]) -> Model:
    return load_trained(TRAINED[request.param]())


@pytest.fixture
def serving(service: Service, model: Model) -> Any:
    service.serving.swap(model, COPY)
    return create_app(service).test_client()


def schema(described: dict[str, Any], name: str) -> jsonschema_rs.Draft202012Validator:
    """A schema of the components, with what it refers to."""
    whole = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    return jsonschema_rs.Draft202012Validator(whole)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from references(each)


def test_every_example_is_accepted_and_fits_its_schema(serving: Any) -> None:
    described = serving.get("/openapi.json").json
    tried = 0
    for path in ("/predict", "/v1/models/{name}:predict"):
        content = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        for example in content["examples"].values():
            assert schema(described, name).is_valid(example["value"])
            answer = serving.post(path.replace("{name}", "iris"), json=example["value"])
            assert answer.status_code == 200, answer.text
            assert schema(described, "Predictions").is_valid(answer.json)
            tried += 1
    assert tried == 6


def test_columns_are_named_in_the_models_order(serving: Any, model: Model) -> None:
    text = serving.get("/openapi.json").data
    record = json.loads(text)["components"]["schemas"]["Record"]
    assert list(record["properties"]) == list(model.signature.names)


@pytest.mark.parametrize("tokens", [{}, {"ada": "hidden"}])
def test_a_token_is_asked_for_only_where_one_is_set(
    settings: Settings, model: Model, tokens: dict[str, str]
) -> None:
    described = document(model, replace(settings, tokens=tokens))
    assert ("securitySchemes" in described["components"]) == bool(tokens)
    asked = {
        path: "security" in operation and "401" in operation["responses"]
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert asked["/predict"] == asked["/v1/models/{name}:predict"] == bool(tokens)
    assert not asked["/health"]
    assert "hidden" not in json.dumps(described)


def test_without_a_model_the_document_says_so(client: Any) -> None:
    described = client.get("/openapi.json").json
    assert described["openapi"].startswith("3.1")
    assert "No model serves yet" in described["info"]["description"]
    assert schema(described, "Body").is_valid([{"any": "row"}])


def test_it_refers_to_what_it_holds_and_holds_every_kind(settings: Settings, model: Model) -> None:
    for served in (model, None):
        described = document(served, settings)
        for target in set(references(described)):
            place = described
            for part in target.removeprefix("#/").split("/"):
                place = place[part]
        assert set(described["components"]["responses"]) == set(KINDS)
    assert set(VALUES) == set(COLUMN_KINDS)


def test_every_route_is_described(service: Service) -> None:
    """Only files of the page are not."""
    rules = {rule.rule for rule in create_app(service).url_map.iter_rules()}
    paths = document(None, service.settings)["paths"]
    named = {path.replace("{name}", "<model_name:name>") for path in paths}
    described = {path.replace("{", "<").replace("}", ">") for path in named}
    assert rules - described == {"/docs/<name>"}
    assert described <= rules
