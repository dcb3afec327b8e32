"""The WSGI application of one worker."""

import logging
import logging.config
import warnings

from flask import Flask

from prediction_api import docs_page, kserve, logs, routes
from prediction_api.fast_path import FastPath
from prediction_api.observation import Observation
from prediction_api.service import Service
from prediction_api.settings import Settings


def create_app(service: Service, fast: bool = True) -> Flask:
    """The Flask application over a service, observed from the outermost layer on; `fast` is off in tests."""
    app = Flask("prediction_api", static_folder=None)
    app.extensions["prediction_api"] = service
    routes.register(app)
    kserve.register(app)
    app.register_blueprint(docs_page.blueprint)
    inner = FastPath(app.wsgi_app, service) if fast else app.wsgi_app
    app.wsgi_app = Observation(inner, service.serving, service.metrics, service.settings)
    return app


def build() -> Flask:
    """What the server calls once in every worker: the application, serving and following."""
    logging.config.dictConfig(logs.library_logging())
    logging.captureWarnings(True)
    # Models that take arrays get the columns in the signature's order, so the names are not missed.
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    service = Service(Settings.from_env())
    service.start()
    return create_app(service)
