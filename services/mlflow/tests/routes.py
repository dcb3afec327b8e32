"""Every route of MLflow's server, asked of the installed version itself."""

import re
from collections.abc import Iterable, Iterator
from typing import Any


def routes() -> set[tuple[str, str]]:
    """Method and a concrete path of every route, of the FastAPI half and of the Flask half."""
    from mlflow.server import app as flask
    from mlflow.server.fastapi_app import app as fastapi

    pairs = [(rule.methods or (), rule.rule) for rule in flask.url_map.iter_rules()]
    pairs += _native(fastapi.routes, "")
    return {(method, _concrete(path)) for methods, path in pairs for method in methods}


def _native(routes: Iterable[Any], prefix: str) -> Iterator[tuple[set[str], str]]:
    for route in routes:
        if inner := getattr(route, "original_router", None):
            yield from _native(inner.routes, prefix + route.include_context.prefix)
        else:
            yield getattr(route, "methods", None) or set(), prefix + route.path


def _concrete(path: str) -> str:
    return re.sub(r"<[^>]+>|{[^}]+}", "x", path) or "/"
